/** Operators computed plainly give what onnxruntime does, where no conformance case says it: com.microsoft, later opsets, rare attributes. */
import { describe, expect, test } from "vitest";
import { dataType } from "../../src/graph/types.ts";
import { fromFloat16 } from "../../src/ops/half.ts";
import { isTensor } from "../../src/ops/op.ts";
import type { DType } from "../../src/tensor.ts";
import { exposed } from "../kit/exposed.ts";
import { interpret } from "../kit/interpreter.ts";
import { encodeModel, f32, node, rng, type TensorSpec, tensor } from "../kit/onnx.ts";
import { runNode } from "../kit/ort.ts";
import { count, tensorFrom } from "./arbitrary.ts";
import { COMPUTED, type Computed, type Input } from "./computed-cases.ts";

function spec(name: string, { dtype, shape, fill }: Input, random: () => number): TensorSpec {
  const size = count(shape);
  const list = Array.from({ length: size }, (_, i) =>
    Array.isArray(fill) ? (fill[i % fill.length] as number) : fill === "any" ? element(dtype, random) : (fill as (i: number) => number)(i),
  );
  if (dtype === "int4" || dtype === "uint4") {
    const bytes = Uint8Array.from(
      { length: Math.ceil(size / 2) },
      (_, i) => ((list[2 * i] as number) & 15) | (((list[2 * i + 1] ?? 0) & 15) << 4),
    );
    return tensor(name, dataType(dtype), shape, bytes);
  }
  return tensor(name, dataType(dtype), shape, tensorFrom(dtype, shape, list).data);
}

const BOUNDS: Partial<Record<DType, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int4: [-8, 7],
  uint4: [0, 15],
  bool: [0, 1],
};

function element(dtype: DType, random: () => number): number {
  if (/float/.test(dtype)) return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const [low, high] = BOUNDS[dtype] ?? [-9, 9];
  return low + Math.floor(random() * (high - low + 1));
}

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
  const random = rng(7);
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
      initializers: [...inputs.flatMap((x, i) => (x ? [spec(`x${i}`, x, random)] : [])), ...(isPacked ? [f32("one", [], [1])] : [])],
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
