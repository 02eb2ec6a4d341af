/** What is fused within the branches of an If, whose weights stand there in Constant nodes. */
import { expect, test } from "vitest";
import { load } from "../../src/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { BOOL, FLOAT, INT64 } from "../kit/models/model.ts";
import { encodeModel, f32, type GraphSpec, type NodeSpec, node, randn, value } from "../kit/onnx.ts";
import { runNode } from "../kit/ort.ts";

const constant = (name: string, dims: readonly number[], seed: number): NodeSpec =>
  node("Constant", [], [name], {
    value: {
      tensor: f32(
        "",
        dims,
        randn(
          dims.reduce((a, b) => a * b),
          seed,
          0.3,
        ),
      ),
    },
  });

/** Relu of a convolution of `x`, padded by zeros or, where `isLate`, by as many as a computation says: its shape depends on data. */
function branch(name: string, isLate: boolean): GraphSpec {
  const [w, b, y] = [`${name}.w`, `${name}.b`, `${name}.y`];
  return {
    name,
    nodes: [
      constant(w, [5, 3, 3], name.length),
      constant(b, [5], name.length + 1),
      ...(isLate ? [node("Pad", ["x", "pads"], [`${name}.x`])] : []),
      node("Conv", [isLate ? `${name}.x` : "x", w, b], [`${name}.conv`], { pads: [1, 1] }),
      node("Relu", [`${name}.conv`], [y]),
    ],
    initializers: [],
    inputs: [],
    outputs: [value(y, FLOAT, ["a", "b", "c"])],
  };
}

const bytes = encodeModel({
  opsets: { "": 17 },
  graph: {
    nodes: [
      node("If", ["which"], ["y"], { then_branch: { graph: branch("then", true) }, else_branch: { graph: branch("otherwise", false) } }),
    ],
    initializers: [],
    inputs: [value("x", FLOAT, [1, 3, "length"]), value("which", BOOL, []), value("pads", INT64, [6])],
    outputs: [value("y", FLOAT, ["a", "b", "c"])],
  },
});

test.each([true, false])("a convolution where the condition is %s", async (which) => {
  const x = randn(3 * 11, 5);
  const pads = BigInt64Array.of(0n, 0n, 2n, 0n, 0n, 1n);
  const model = await load(bytes);
  const { y } = await model.run({
    x: { dtype: "float32", shape: [1, 3, 11], data: x },
    which: { dtype: "bool", shape: [], data: Uint8Array.of(which ? 1 : 0) },
    pads: { dtype: "int64", shape: [6], data: pads },
  });
  const { y: expected } = await runNode(bytes, {
    x: { type: "float32", dims: [1, 3, 11], data: x },
    which: { type: "bool", dims: [], data: Uint8Array.of(which ? 1 : 0) },
    pads: { type: "int64", dims: [6], data: pads },
  });
  const { data, shape } = y as Tensor;
  expect(shape).toEqual([...(expected?.dims ?? [])]);
  const theirs = Array.from(expected?.data as Float32Array);
  expect(theirs.some((v) => v > 0)).toBe(true);
  theirs.forEach((v, i) => {
    expect((data as Float32Array)[i]).toBeCloseTo(v, 5);
  });
});
