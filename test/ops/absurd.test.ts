/** Nodes that were well are given attributes and inputs that make no sense: nothing is thrown, and nothing goes on for ever. */
import { describe, expect, test } from "vitest";
import type { Attribute, Node } from "../../src/graph/graph.ts";
import { symbols } from "../../src/ops/dims.ts";
import { isPlain } from "../../src/ops/elements.ts";
import { operator } from "../../src/ops/index.ts";
import { isTensor } from "../../src/ops/op.ts";
import { bounded, constantValue, isStatic } from "../../src/ops/value.ts";
import { elements, type Tensor } from "../../src/tensor.ts";
import { COMPUTED, type Computed } from "./computed-cases.ts";
import { nodeOf, tensorsOf } from "./computed-tensors.ts";

const NAMES = "axis group kernel_shape strides pads dilations block_size hidden_size num_heads output_shape size".split(" ");
const NUMBERS = [-1, 0, 0.5, 3, 2 ** 31 - 1, -(2 ** 31), 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY];
const ABSURD: readonly Attribute[] = [...NUMBERS, ...NUMBERS.map((x) => [x, x]), [], [1], NUMBERS, "", "nonsense", ["nonsense"]];

function compute(node: Node, inputs: readonly (Tensor | undefined)[], opset: number): void {
  const op = operator(node);
  const tensor = () => undefined;
  const values = inputs.map((x) => x && constantValue(x));
  const told = op?.infer(node, values, { opset, symbol: symbols(), tensor, graph: () => [] }).map(bounded) ?? [];
  const outputs = told.map(({ dtype, shape }) => ({ dtype, shape: isStatic(shape) ? shape : undefined }));
  const computed = op?.compute?.(node, inputs, { opset, outputs, tensor, random: () => 0.5 });
  for (const y of computed ?? []) if (isTensor(y) && isPlain(y.dtype)) expect(y.data.length).toBe(elements(y.shape));
}

/** What may stand where a tensor stood. */
const others = (x: Tensor): (Tensor | undefined)[] => [
  undefined,
  { dtype: "float32", shape: [0], data: new Float32Array(0) },
  { dtype: "float32", shape: [], data: Float32Array.of(Number.NaN) },
  { dtype: "int64", shape: [2], data: BigInt64Array.of(-(2n ** 62n), 2n ** 62n) },
  { dtype: "int32", shape: [1], data: Int32Array.of(-1) },
  { dtype: "string", shape: [1], data: ["?"] },
  { ...x, shape: [elements(x.shape)] },
  { ...x, shape: [1, ...x.shape] },
  { ...x, shape: x.shape.toReversed() },
];

const byOperator = Map.groupBy(COMPUTED, ({ op, domain = "" }) => `${domain}.${op}`);

describe("nothing is thrown", () => {
  test.each([...byOperator])("by %s", (_name, cases: readonly Computed[]) => {
    for (const each of cases.slice(0, 4)) {
      const [node, inputs] = [nodeOf(each), tensorsOf(each.inputs)];
      compute(node, inputs, each.opset);
      for (const name of new Set([...Object.keys(node.attributes), ...NAMES]))
        for (const value of ABSURD) compute({ ...node, attributes: { ...node.attributes, [name]: value } }, inputs, each.opset);
      inputs.forEach((x, i) => {
        for (const other of x ? others(x) : []) compute(node, inputs.with(i, other), each.opset);
      });
      for (let count = 0; count < inputs.length; count++) compute(node, inputs.slice(0, count), each.opset);
    }
  });
});
