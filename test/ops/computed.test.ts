/** Operators computed plainly give what onnxruntime does, where no conformance case says it: com.microsoft, later opsets, rare attributes. */
import { describe, expect, test } from "vitest";
import { dataType } from "../../src/graph/types.ts";
import { fromFloat16 } from "../../src/ops/half.ts";
import { isTensor } from "../../src/ops/op.ts";
import { exposed } from "../kit/exposed.ts";
import { interpret } from "../kit/interpreter.ts";
import { encodeModel, f32, node, tensor } from "../kit/onnx.ts";
import { runNode } from "../kit/ort.ts";
import { COMPUTED, type Computed } from "./computed-cases.ts";
import { tensorsOf } from "./computed-tensors.ts";

const nameOf = ({ op, domain = "", opset, inputs, attributes = {} }: Computed): string =>
  `${domain ? `${domain}.` : ""}${op} at opset ${opset} of ${inputs.map((x) => (x ? `${x.dtype}[${x.shape}]` : "–")).join(", ")} ${JSON.stringify(attributes)}`;

async function check({
  op,
  domain = "",
  opset,
  inputs,
  attributes = {},
  outputs = 1,
  tolerance = 1e-5,
  steps = 0,
  isPacked,
}: Computed): Promise<void> {
  const made = Array.from({ length: outputs }, (_, i) => `y${i}`);
  const model = encodeModel({
    opsets: { "": opset, "com.microsoft": 1 },
    graph: {
      nodes: [
        node(
          op,
          inputs.map((x, i) => (x ? `x${i}` : "")),
          made,
          attributes,
          domain ? { domain } : {},
        ),
        ...(isPacked ? [node("DequantizeLinear", ["y0", "one"], ["z0"])] : []),
      ],
      initializers: [
        ...tensorsOf(inputs).flatMap((x, i) => (x ? [tensor(`x${i}`, dataType(x.dtype), x.shape, x.data)] : [])),
        ...(isPacked ? [f32("one", [], [1])] : []),
      ],
      inputs: [],
      outputs: [],
    },
  });
  const bytes = exposed(model, isPacked ? ["z0"] : made);
  const computed = await interpret(bytes, new Map());
  for (const [name, real] of Object.entries(await runNode(bytes, {}, { graphOptimizationLevel: "disabled" }))) {
    const given = computed.get(name);
    expect(isTensor(given) && { dtype: given.dtype, shape: given.shape }).toEqual({ dtype: real.type, shape: [...real.dims] });
    if (!isTensor(given)) return;
    const plain = (data: ArrayLike<unknown>) => Array.from(data, (x) => (real.type === "float16" ? fromFloat16(x as number) : Number(x)));
    const [ours, theirs] = [plain(given.data), plain(real.data)];
    const scale = Math.max(...theirs.filter(Number.isFinite).map(Math.abs), 1e-3);
    const bound = /float/.test(real.type) ? (real.type === "float16" ? 2e-3 : tolerance) * scale : steps;
    const wrong = theirs.flatMap((x, i) =>
      Object.is(x, ours[i]) || Math.abs(x - (ours[i] as number)) <= bound ? [] : [`${name}[${i}]: ${ours[i]} is ${x}`],
    );
    expect(wrong.slice(0, 6)).toEqual([]);
  }
}

describe("operators are computed as onnxruntime computes them", () => {
  test.each(COMPUTED.map((each) => [nameOf(each), each] as const))("%s", (_name, each) => check(each));
});
