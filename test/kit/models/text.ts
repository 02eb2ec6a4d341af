/** Models of token ids: embeddings tied to the output layer, a BERT-type encoder, an LSTM. */
import { f32, type GraphSpec, i64, type NodeSpec, node, randn, type TensorSpec, value } from "../onnx.ts";
import { FLOAT, floats, generator, INT64, tokens } from "./model.ts";

const VOCABULARY = 96;
const HIDDEN = 32;
const HEADS = 4;
const LENGTH = 12;

const table = f32("embedding.weight", [VOCABULARY, HIDDEN], randn(VOCABULARY * HIDDEN, 1, 0.3));
const ids = { ids: tokens([1, LENGTH], VOCABULARY, 5) };

const lookup = node("Gather", ["embedding.weight", "ids"], ["embedded"], { axis: 0 });

function language(nodes: readonly NodeSpec[], initializers: readonly TensorSpec[], rows: readonly number[]): GraphSpec {
  return {
    nodes,
    initializers,
    inputs: [value("ids", INT64, [1, LENGTH])],
    outputs: [value("logits", FLOAT, [...rows, VOCABULARY])],
  };
}

/** ids[1,12] → Gather → tanh → MatMul with the transposed table, as PyTorch exports a tied head without constant folding. */
export const tiedEmbedding = generator("tied-transpose", "one table for Gather and, through a Transpose node, for MatMul", () => ({
  graph: language(
    [
      lookup,
      node("Tanh", ["embedded"], ["h"]),
      node("Transpose", ["embedding.weight"], ["turned"], { perm: [1, 0] }),
      node("MatMul", ["h", "turned"], ["logits"]),
    ],
    [table],
    [1, LENGTH],
  ),
  inputs: ids,
}));

/** The same table, untransposed, as the B of a Gemm with transB = 1: the initializer itself has two consumers. */
export const tiedGemm = generator("tied-gemm", "one table for Gather and for Gemm with transB", () => ({
  graph: language(
    [
      lookup,
      node("Tanh", ["embedded"], ["t"]),
      node("Reshape", ["t", "rows"], ["h"]),
      node("Gemm", ["h", "embedding.weight", "bias"], ["logits"], { transB: 1 }),
    ],
    [table, i64("rows", [-1, HIDDEN]), f32("bias", [VOCABULARY], randn(VOCABULARY, 2, 0.1))],
    [LENGTH],
  ),
  inputs: ids,
}));

/** Layer normalization in the nodes that exporters wrote before opset 17; ReduceMean takes its axes as an input from 18. */
function layerNorm(opset: number, from: string, to: string): NodeSpec[] {
  const mean = (x: string, y: string) =>
    opset < 18 ? node("ReduceMean", [x], [y], { axes: [-1], keepdims: 1 }) : node("ReduceMean", [x, "last_axis"], [y], { keepdims: 1 });
  return [
    mean(from, `${to}.mean`),
    node("Sub", [from, `${to}.mean`], [`${to}.centred`]),
    node("Pow", [`${to}.centred`, "two"], [`${to}.squares`]),
    mean(`${to}.squares`, `${to}.variance`),
    node("Add", [`${to}.variance`, "epsilon"], [`${to}.safe`]),
    node("Sqrt", [`${to}.safe`], [`${to}.deviation`]),
    node("Div", [`${to}.centred`, `${to}.deviation`], [`${to}.normal`]),
    node("Mul", [`${to}.normal`, `${to}.gamma`], [`${to}.scaled`]),
    node("Add", [`${to}.scaled`, `${to}.beta`], [to]),
  ];
}

const linear = (from: string, to: string): NodeSpec[] => [
  node("MatMul", [from, `${to}.weight`], [`${to}.product`]),
  node("Add", [`${to}.product`, `${to}.bias`], [to]),
];

/** One layer: h[1,L,H] → `${p}.out`. Softmax is along the last of four axes, where its two definitions agree. */
function transformerLayer(opset: number, h: string, p: string): NodeSpec[] {
  const split = (x: string, perm: number[]) => [
    node("Reshape", [`${p}.${x}`, "heads"], [`${p}.${x}.split`]),
    node("Transpose", [`${p}.${x}.split`], [`${p}.${x}.heads`], { perm }),
  ];
  return [
    ...["query", "key", "value"].flatMap((x) => linear(h, `${p}.${x}`)),
    ...split("query", [0, 2, 1, 3]),
    ...split("key", [0, 2, 3, 1]),
    ...split("value", [0, 2, 1, 3]),
    node("MatMul", [`${p}.query.heads`, `${p}.key.heads`], [`${p}.scores`]),
    node("Div", [`${p}.scores`, "root"], [`${p}.scaled`]),
    node("Add", [`${p}.scaled`, "mask"], [`${p}.masked`]),
    node("Softmax", [`${p}.masked`], [`${p}.weights`], { axis: 3 }),
    node("MatMul", [`${p}.weights`, `${p}.value.heads`], [`${p}.context.heads`]),
    node("Transpose", [`${p}.context.heads`], [`${p}.context.split`], { perm: [0, 2, 1, 3] }),
    node("Reshape", [`${p}.context.split`, "joined"], [`${p}.context`]),
    ...linear(`${p}.context`, `${p}.dense`),
    node("Add", [`${p}.dense`, h], [`${p}.residual`]),
    ...layerNorm(opset, `${p}.residual`, `${p}.norm`),
    ...linear(`${p}.norm`, `${p}.up`),
    node("Div", [`${p}.up`, "sqrt2"], [`${p}.gelu.x`]),
    node("Erf", [`${p}.gelu.x`], [`${p}.gelu.erf`]),
    node("Add", [`${p}.gelu.erf`, "one"], [`${p}.gelu.sum`]),
    node("Mul", [`${p}.up`, `${p}.gelu.sum`], [`${p}.gelu.product`]),
    node("Mul", [`${p}.gelu.product`, "half"], [`${p}.gelu`]),
    ...linear(`${p}.gelu`, `${p}.down`),
    node("Add", [`${p}.down`, `${p}.norm`], [`${p}.sum`]),
    ...layerNorm(opset, `${p}.sum`, `${p}.out`),
  ];
}

function layerWeights(p: string, seed: number): TensorSpec[] {
  const dense = (name: string, k: number, n: number, i: number) => [
    f32(`${p}.${name}.weight`, [k, n], randn(k * n, seed + i, 1 / Math.sqrt(k))),
    f32(`${p}.${name}.bias`, [n], randn(n, seed + i + 50, 0.05)),
  ];
  const square = ["query", "key", "value", "dense"].flatMap((name, i) => dense(name, HIDDEN, HIDDEN, i));
  const norms = ["norm", "out"].flatMap((name, i) => normWeights(`${p}.${name}`, seed + 20 + 2 * i));
  return [...square, ...dense("up", HIDDEN, 4 * HIDDEN, 10), ...dense("down", 4 * HIDDEN, HIDDEN, 11), ...norms];
}

const normWeights = (name: string, seed: number) => [
  f32(
    `${name}.gamma`,
    [HIDDEN],
    randn(HIDDEN, seed, 0.1).map((x) => 1 + x),
  ),
  f32(`${name}.beta`, [HIDDEN], randn(HIDDEN, seed + 1, 0.1)),
];

/** ids[1,12], attention_mask[1,12] → logits[1,12,96]. */
export const encoder = generator("encoder", "BERT-type: decomposed LayerNormalization, two attention layers, mask, tied table", (opset) => {
  const unsqueeze =
    opset < 13 ? node("Unsqueeze", ["attention_mask"], ["m4"], { axes: [1, 2] }) : node("Unsqueeze", ["attention_mask", "axes"], ["m4"]);
  const graph = language(
    [
      unsqueeze,
      node("Cast", ["m4"], ["m4f"], { to: FLOAT }),
      node("Sub", ["one", "m4f"], ["m4n"]),
      node("Mul", ["m4n", "minus"], ["mask"]),
      lookup,
      node("Add", ["embedded", "positions"], ["h0"]),
      ...layerNorm(opset, "h0", "h1"),
      ...transformerLayer(opset, "h1", "layer.0"),
      ...transformerLayer(opset, "layer.0.out", "layer.1"),
      node("Transpose", ["embedding.weight"], ["turned"], { perm: [1, 0] }),
      node("MatMul", ["layer.1.out", "turned"], ["logits"]),
    ],
    [
      table,
      f32("positions", [1, LENGTH, HIDDEN], randn(LENGTH * HIDDEN, 2, 0.1)),
      ...normWeights("h1", 30),
      ...layerWeights("layer.0", 200),
      ...layerWeights("layer.1", 400),
      ...Object.entries({
        one: 1,
        two: 2,
        half: 0.5,
        sqrt2: Math.SQRT2,
        minus: -10000,
        epsilon: 1e-12,
        root: Math.sqrt(HIDDEN / HEADS),
      }).map(([name, x]) => f32(name, [], [x])),
      i64("heads", [0, 0, HEADS, HIDDEN / HEADS]),
      i64("joined", [0, 0, HIDDEN]),
      ...(opset < 13 ? [] : [i64("axes", [1, 2])]),
      ...(opset < 18 ? [] : [i64("last_axis", [-1])]),
    ],
    [1, LENGTH],
  );
  const attention_mask = BigInt64Array.from({ length: LENGTH }, (_, i) => (i < LENGTH - 3 ? 1n : 0n));
  return {
    graph: { ...graph, inputs: [...graph.inputs, value("attention_mask", INT64, [1, LENGTH])] },
    inputs: { ...ids, attention_mask: { type: "int64", dims: [1, LENGTH], data: attention_mask } },
  };
});

/** x[7,2,24] → bidirectional LSTM of 32 units → y[7,2,2,32]; W [2,128,24] and R [2,128,32] are read by the LSTM node only. */
export const lstm = generator("lstm", "bidirectional LSTM with W and R as initializers", () => ({
  graph: {
    nodes: [node("LSTM", ["x", "lstm.W", "lstm.R", "lstm.B"], ["y"], { hidden_size: 32, direction: "bidirectional" })],
    initializers: [
      f32("lstm.W", [2, 128, 24], randn(2 * 128 * 24, 1, 0.2)),
      f32("lstm.R", [2, 128, 32], randn(2 * 128 * 32, 2, 0.18)),
      f32("lstm.B", [2, 256], randn(2 * 256, 3, 0.1)),
    ],
    inputs: [value("x", FLOAT, [7, 2, 24])],
    outputs: [value("y", FLOAT, [7, 2, 2, 32])],
  },
  inputs: { x: floats([7, 2, 24], 5) },
}));
