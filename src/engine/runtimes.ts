import { UnsupportedError } from "../errors.ts";
import type { Document } from "../formats/onnx/document.ts";
import { knownOf } from "../formats/onnx/known.ts";
import { graphs, type Node } from "../graph/graph.ts";
import { inferGraph } from "../ops/infer.ts";
import type { Log } from "./report.ts";

/** Runtimes that a recipe's `target.runtime` may name. */
export const RUNTIMES = ["edgeslim", "onnxruntime", "onnxruntime-node", "onnxruntime-web", "webgpu"] as const;
export type Runtime = (typeof RUNTIMES)[number];

export function runtimeOf(name: string): Runtime {
  const found = RUNTIMES.find((runtime) => runtime === name);
  if (!found) throw new UnsupportedError(`The recipe's target.runtime '${name}' is not known; there are ${RUNTIMES.join(", ")}`);
  return found;
}

/** What is known, by measurement, of operators that a runtime has and runs slowly, or has not. */
const SLOW: readonly { runtime: Runtime; op_type: string; message: string }[] = [
  {
    runtime: "onnxruntime-web",
    op_type: "DequantizeLinear",
    message:
      "onnxruntime-web dequantizes a weight each time it is used: some twenty times the time of float32 at batch 1; q8 runs fast there",
  },
  {
    runtime: "onnxruntime-web",
    op_type: "MatMulNBits",
    message: "onnxruntime-web runs int4 products on the CPU in some thirty times the time of float32 at batch 1; q8 runs fast there",
  },
  {
    runtime: "onnxruntime-web",
    op_type: "ConvInteger",
    message: "onnxruntime-web runs integer convolutions slower than float32, with int8 weights some thirteen times",
  },
  ...["DynamicQuantizeLinear", "MatMulInteger", "ConvInteger"].map((op_type) => ({
    runtime: "webgpu" as const,
    op_type,
    message: "WebGPU has no kernel for integer products: they run on the CPU, with a copy each way; q4f16 and fp16 stay on the GPU",
  })),
];

/** Warns of operators in the finished graph that the target is known to run slowly, and of what WebGPU refuses whatever the target. */
export function warnOfOperators(document: Document, runtime: Runtime | undefined, log: Log): void {
  const all = [...graphs(document.main)].flatMap((graph) => graph.nodes.map((node) => ({ graph, node })));
  const named = ({ name, output, op_type }: Node): string => name || output[0] || op_type;
  const messages = new Map<string, string[]>();
  for (const { node } of all) {
    const rule = SLOW.find((each) => each.runtime === runtime && each.op_type === node.op_type);
    if (rule) messages.set(rule.message, [...(messages.get(rule.message) ?? []), named(node)]);
  }
  for (const [message, nodes] of messages) log.warnOf("slow-operator", message, nodes);

  const suspects = all.filter(({ node }) => node.op_type === "DequantizeLinear" && node.domain === "" && node.input[2]);
  if (suspects.length === 0) return;
  const inferred = inferGraph(document.main, knownOf(document, document.tensors));
  const refused = suspects.filter(({ graph, node }) => inferred.get(graph)?.get(node.input[2] as string)?.dtype === "int32");
  if (refused.length > 0)
    log.warnOf(
      "int32-zero-point",
      "WebGPU refuses DequantizeLinear with an int32 zero point: leave it out where it is zero, as the definition does",
      refused.map(({ node }) => named(node)),
    );
}
