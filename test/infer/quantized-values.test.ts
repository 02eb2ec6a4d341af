/** Sums and products of bytes whose shapes are told only when they run. */
import { describe, expect, it } from "vitest";
import { load } from "../../src/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { DataType, encodeModel, f32, node, randn, tensor } from "../kit/onnx.ts";

const scale = (name: string, value: number) => f32(name, [], Float32Array.of(value));
const zero = (name: string, value: number) => tensor(name, DataType.UINT8, [], Uint8Array.of(value));

const model = (op_type: "Add" | "Mul") =>
  encodeModel({
    graph: {
      nodes: [
        ...["a", "b"].flatMap((x) => [
          node("QuantizeLinear", [x, `${x}_scale`, "zero"], [`${x}_bytes`]),
          node("DequantizeLinear", [`${x}_bytes`, `${x}_scale`, "zero"], [`${x}_again`]),
        ]),
        node(op_type, ["a_again", "b_again"], ["both"]),
        node("QuantizeLinear", ["both", "y_scale", "y_zero"], ["bytes"]),
        node("DequantizeLinear", ["bytes", "y_scale", "y_zero"], ["y"]),
      ],
      initializers: [scale("a_scale", 0.03), scale("b_scale", 0.02), scale("y_scale", 0.041), zero("zero", 120), zero("y_zero", 99)],
      inputs: ["a", "b"].map((name) => ({ name, data_type: DataType.FLOAT, dims: [`${name}0`, `${name}1`, `${name}2`] })),
      outputs: [{ name: "y", data_type: DataType.FLOAT }],
    },
    opsets: { "": 17 },
  });

const floats = (shape: number[], seed: number): Tensor => ({
  dtype: "float32",
  shape,
  data: randn(
    shape.reduce((n, d) => n * d, 1),
    seed,
  ),
});

describe.each(["Add", "Mul"] as const)("%s of bytes", (op_type) => {
  it.each([
    ["as large", [2, 3, 5], [2, 3, 5], true],
    ["the first repeated", [1, 3, 1], [2, 3, 5], true],
    ["the second repeated", [2, 3, 35], [1, 1, 35], true],
    ["both repeated", [2, 1, 5], [1, 3, 1], false],
  ])("%s", async (_, a, b, isKernel) => {
    const bytes = model(op_type);
    const feeds = { a: floats(a, 1), b: floats(b, 2) };
    const steps: [string, boolean][] = [];
    const given = await (await load(bytes)).run(feeds, { onStep: (step) => steps.push([step.op_type, step.isKernel]) });
    expect(steps.filter(([name]) => name === "edgeslim.QBinary")).toEqual([["edgeslim.QBinary", isKernel]]);
    expect(given).toEqual(await (await load(bytes, { optimize: false })).run(feeds));
  });
});
