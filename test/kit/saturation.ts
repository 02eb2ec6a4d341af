import { encodeModel, node, tensor, value } from "./onnx.ts";
import { runNode } from "./ort.ts";

const K = 64;
const N = 16;
let answer: Promise<boolean> | undefined;

/**
 * Whether onnxruntime-node adds products of uint8 and int8 exactly here. Its kernels for x86 processors without VNNI add pairs of them in 16 bits
 * and saturate, whatever the session options; those of onnxruntime-web are exact on every machine.
 */
export function addsExactly(): Promise<boolean> {
  answer ??= probe();
  return answer;
}

async function probe(): Promise<boolean> {
  const graph = {
    nodes: [node("MatMulInteger", ["x", "w"], ["y"])],
    initializers: [tensor("w", 3, [K, N], new Int8Array(K * N).fill(127))],
    inputs: [value("x", 2, [1, K])],
    outputs: [value("y", 6, [1, N])],
  };
  const x = { type: "uint8" as const, dims: [1, K], data: new Uint8Array(K).fill(255) };
  const { y } = await runNode(encodeModel({ graph, opsets: { "": 13 } }), { x });
  return y?.data.every((sum) => Number(sum) === K * 255 * 127) ?? false;
}
