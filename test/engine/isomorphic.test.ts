import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type DecodedGraph, type DecodedModel, type DecodedNode, everyGraph, readOnnx } from "../kit/readonnx.ts";
import { difference, SAME } from "./isomorphic.ts";

const golden = (file: string): DecodedModel => readOnnx(readFileSync(new URL(`../fixtures/golden/${file}`, import.meta.url)));

const find = (graph: DecodedGraph, op_type: string): DecodedNode => {
  const node = [...everyGraph(graph)].flatMap(({ nodes }) => nodes).find((each) => each.op_type === op_type);
  if (!node) throw new Error(`No ${op_type}`);
  return node;
};

/** Flips the lowest bit of a weight's first byte. */
function flip(graph: DecodedGraph, name: string): void {
  const tensor = graph.initializers.get(name);
  if (!tensor?.bytes) throw new Error(`No raw weight ${name}`);
  tensor.bytes = tensor.bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
}

/** The same graph with every inner name changed and its nodes the other way round. */
function renamed(model: DecodedModel): DecodedModel {
  const copy = structuredClone(model);
  const fixed = new Set(["", ...[...copy.inputs, ...copy.outputs].map(({ name }) => name)]);
  const name = (old: string) => (fixed.has(old) ? old : `renamed/${old}`);
  for (const graph of everyGraph(copy)) {
    graph.nodes.reverse();
    graph.initializers = new Map([...graph.initializers].reverse().map(([old, tensor]) => [name(old), { ...tensor, name: name(old) }]));
    for (const value of [...graph.inputs, ...graph.outputs]) value.name = name(value.name);
    for (const node of graph.nodes) {
      node.name = "";
      node.inputs = node.inputs.map(name);
      node.outputs = node.outputs.map(name);
      node.attributes = new Map([...node.attributes].reverse());
    }
  }
  return copy;
}

describe("difference", () => {
  test.each(["encoder-13.int8.onnx", "lstm.int8.onnx", "branches.q4.onnx", "branches-outer.int8.onnx", "loop.int8.onnx"])(
    "names and order do not count: %s",
    (file) => {
      const model = golden(file);
      expect(difference(renamed(model), model)).toEqual(SAME);
    },
  );

  test("the field that holds a weight does not count", () => {
    const [model, copy] = [golden("conv.int8.onnx"), golden("conv.int8.onnx")];
    const shape = copy.initializers.get("a_bias_reshape_shape");
    copy.initializers.set("a_bias_reshape_shape", {
      name: "a_bias_reshape_shape",
      dims: shape?.dims as number[],
      data_type: 7,
      bytes: new Uint8Array(BigInt64Array.from([1n, -1n, 1n, 1n]).buffer),
    });
    expect(shape?.values).toEqual([1n, -1n, 1n, 1n]);
    expect(difference(copy, model)).toEqual(SAME);
  });

  test("the graph in which a weight stands does not count", () => {
    const [model, copy] = [golden("branches.q4.onnx"), golden("branches.q4.onnx")];
    for (const { initializers } of [...everyGraph(copy)].slice(1)) {
      for (const [name, tensor] of initializers) copy.initializers.set(name, tensor);
      initializers.clear();
    }
    expect(copy.initializers.size).toBe(5);
    expect(difference(copy, model)).toEqual(SAME);
  });

  const one = (text: string) => [expect.stringContaining(text)];
  test.each<[string, string, (copy: DecodedModel) => void, object]>([
    [
      "an attribute",
      "conv.int8.onnx",
      (copy) => void find(copy, "ConvInteger").attributes.set("strides", [2, 1]),
      { missing: one("strides=[2,2]"), surplus: one("strides=[2,1]") },
    ],
    [
      "an attribute more",
      "encoder-13.q4.onnx",
      (copy) => void find(copy, "MatMulNBits").attributes.set("accuracy_level", 4),
      { missing: one("MatMulNBits"), surplus: one("accuracy_level") },
    ],
    [
      "a domain",
      "encoder-13.q4.onnx",
      (copy) => void (find(copy, "MatMulNBits").domain = "com.microsoft.nchwc"),
      { missing: one("MatMulNBits"), surplus: one("MatMulNBits") },
    ],
    [
      "swapped inputs",
      "encoder-13.int8.onnx",
      (copy) => void find(copy, "Mul").inputs.reverse(),
      { missing: one("x_scale, wq_scale"), surplus: one("wq_scale, x_scale") },
    ],
    ["a weight's bit", "encoder-13.int8.onnx", (copy) => flip(copy, "wo_quantized"), { missing: one("wo_q"), surplus: one("wo_q") }],
    [
      "a weight's type",
      "encoder-13.int8.onnx",
      (copy) => void ((copy.initializers.get("wk_zero_point") as { data_type: number }).data_type = 2),
      { missing: one("_zero_point: type 3"), surplus: one("wk_zero_point: type 2") },
    ],
    [
      "a weight's shape",
      "encoder-13.q4.onnx",
      (copy) => void ((copy.initializers.get("wk_scales") as { dims: number[] }).dims = [16]),
      { missing: one("wk_scales"), surplus: one("[16]") },
    ],
    [
      "a weight left behind",
      "encoder-13.int8.onnx",
      (copy) => void copy.initializers.set("wq", { name: "wq", dims: [1], data_type: 1, values: [0] }),
      { missing: [], surplus: one("wq: ") },
    ],
    [
      "a weight twice",
      "tied.int8.onnx",
      (copy) => void copy.initializers.set("again", { ...structuredClone(copy.initializers.get("w_quantized")!), name: "again" }),
      { missing: [], surplus: one("again: ") },
    ],
    [
      "a node twice",
      "encoder-13.int8.onnx",
      (copy) => {
        copy.nodes.push({ ...structuredClone(find(copy, "DynamicQuantizeLinear")), outputs: ["a", "b", "c"] });
        const product = copy.nodes.find(({ name }) => name === "/k__quant");
        product?.inputs.splice(0, 1, "a");
      },
      { missing: [], surplus: one("DynamicQuantizeLinear(x)") },
    ],
    [
      "another output of the same node",
      "lstm.int8.onnx",
      (copy) => void find(copy, "DynamicQuantizeLSTM").outputs.push("c2"),
      { missing: one("DynamicQuantizeLSTM"), surplus: one("DynamicQuantizeLSTM") },
    ],
    [
      "outputs exchanged",
      "tied-same-input.int8.onnx",
      (copy) => {
        const [a, b] = ["y", "z"].map((name) => copy.nodes.find(({ outputs }) => outputs[0] === name)) as [DecodedNode, DecodedNode];
        [a.outputs, b.outputs] = [b.outputs, a.outputs];
        flip(copy, "w_quantized");
      },
      { missing: one("w_quantized"), surplus: one("w_quantized") },
    ],
    [
      "a weight's bit in a branch",
      "branches.int8.onnx",
      (copy) => flip(find(copy, "If").attributes.get("then_branch") as DecodedGraph, "wt_quantized"),
      { missing: [expect.stringContaining("wt_quantized"), expect.stringContaining("If(c)")] },
    ],
    [
      "swapped inputs in a branch",
      "branches.int8.onnx",
      (copy) => void find(copy, "Mul").inputs.reverse(),
      { missing: one("If(c)"), surplus: one("If(c)") },
    ],
    ["an output's name", "tied.int8.onnx", (copy) => void (copy.outputs = structuredClone(copy.inputs)), { other: ["other outputs"] }],
    ["an opset", "tied.int8.onnx", (copy) => void copy.opsets.set("", 14), { other: one("14") }],
    ["a domain's version", "branches.q4.onnx", (copy) => void copy.opsets.delete("com.microsoft"), { other: one("com.microsoft") }],
    ["an input's shape", "tied.int8.onnx", (copy) => void (copy.inputs[0]!.dims = [1, 24]), { other: ["other inputs"] }],
  ])("finds %s", (_, file, change, found) => {
    const copy = structuredClone(golden(file));
    change(copy);
    expect(difference(copy, golden(file))).toMatchObject(found);
    expect(difference(golden(file), copy)).not.toEqual(SAME);
  });
});
