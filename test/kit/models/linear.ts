/** Models of MatMul and Gemm, and the ways in which a weight's name, place and type vary. */
import { type Layout, type NodeSpec, node, randn, type TensorSpec, tensor, value, f32 as writeF32 } from "../onnx.ts";
import { toBfloat16Bits, toFloat16Bits } from "../reference.ts";
import { BFLOAT16, DOUBLE, FLOAT, FLOAT16, floats, type GenerateOptions, generator, product } from "./model.ts";

/** A random f32 weight; `std` keeps activations near 1 for a fan-in of the first dimension's size. */
const weight = (name: string, dims: readonly number[], seed: number, std = 1 / Math.sqrt(dims[0] as number)) =>
  writeF32(name, dims, randn(product(dims), seed, std));

/** x[4, `k`] → y[4, `n`], whatever stands between. */
function dense(k: number, n: number, nodes: NodeSpec[], initializers: TensorSpec[], name = "dense") {
  return { graph: { name, nodes, initializers, inputs: [value("x", FLOAT, ["batch", k])], outputs: [value("y", FLOAT, ["batch", n])] } };
}

const feed = (k: number, seed = 5) => ({ inputs: { x: floats([4, k], seed) } });

/** x[4,64] → MatMul [64,96] → Add → Relu → MatMul [96,32] → Add. */
function twoLayers(first = "fc1.weight", second = "fc2.weight") {
  return dense(
    64,
    32,
    [
      node("MatMul", ["x", first], ["a"]),
      node("Add", ["a", "fc1.bias"], ["b"]),
      node("Relu", ["b"], ["c"]),
      node("MatMul", ["c", second], ["d"]),
      node("Add", ["d", "fc2.bias"], ["y"]),
    ],
    [weight(first, [64, 96], 1), weight("fc1.bias", [96], 2, 0.1), weight(second, [96, 32], 3), weight("fc2.bias", [32], 4, 0.1)],
  );
}

const varied = (name: string, note: string, layout: Layout, standard?: number) =>
  generator(name, note, () => ({ ...twoLayers(), ...feed(64), layout }), standard);

export const mlp = generator("mlp", "MatMul [K,N] + Add, twice", () => ({ ...twoLayers(), ...feed(64) }));
export const typedFields = varied("typed-fields", "all f32 weights in float_data, packed", { storage: "packed" });
export const constants = varied("constants", "no initializer: every weight is a Constant node", { weights: "constants" }, 11);

/** IR version 3: opset 7 or 8, every initializer a graph input as well. */
export const ir3 = generator(
  "ir3",
  "IR 3, initializers listed as graph inputs",
  () => ({ ...twoLayers(), ...feed(64), ir_version: 3, layout: { list_initializers: true } }),
  8,
);

/** Gemm in all its forms: transB 0 and 1, alpha and beta, C of rank 1, 2 and 0. */
export const gemm = generator("gemm", "Gemm with transB 0 and 1, alpha, beta, and a C that broadcasts", () => ({
  ...dense(
    48,
    40,
    [
      node("Gemm", ["x", "w0", "c0"], ["a"]),
      node("Tanh", ["a"], ["b"]),
      node("Gemm", ["b", "w1", "c1"], ["c"], { transB: 1 }),
      node("Tanh", ["c"], ["d"]),
      node("Gemm", ["d", "w2", "c2"], ["e"], { transB: 1, alpha: { float: 0.5 }, beta: { float: 2 } }),
      node("Tanh", ["e"], ["f"]),
      node("Gemm", ["f", "w3", "c3"], ["y"], { transB: 0, alpha: { float: 1.5 }, beta: { float: 0 } }),
    ],
    [
      weight("w0", [48, 64], 1),
      weight("c0", [64], 2, 0.1),
      weight("w1", [56, 64], 3),
      weight("c1", [1, 56], 4, 0.1),
      weight("w2", [72, 56], 5),
      writeF32("c2", [], [0.25]),
      weight("w3", [72, 40], 6),
      weight("c3", [40], 7, 0.1),
    ],
  ),
  ...feed(48),
}));

/** K = 70 and N = 33: no multiple of a block, a lane or a nibble pair; also a weight on the left, and one of rank 3. */
export const oddK = generator("odd-k", "MatMul with K = 70, N = 33; a weight as first operand; a batched weight", () => ({
  graph: {
    nodes: [
      node("MatMul", ["x", "w"], ["a"]),
      node("MatMul", ["left", "a"], ["b"]),
      node("Tanh", ["b"], ["c"]),
      node("MatMul", ["c", "batched"], ["y"]),
    ],
    initializers: [weight("w", [70, 33], 1), weight("left", [257, 4], 2), weight("batched", [2, 33, 17], 3, 0.2)],
    inputs: [value("x", FLOAT, [4, 70])],
    outputs: [value("y", FLOAT, [2, 257, 17])],
  },
  ...feed(70),
}));

/** A row of zeros, a column of zeros, one outlier, subnormals, and a tensor that is all zeros. */
export const oddValues = generator("odd-values", "zero row, zero column, outlier, subnormals; one all-zero weight", () => {
  const odd = randn(64 * 32, 1, 0.1).map((x, i) => {
    const row = Math.floor(i / 32);
    const column = i % 32;
    if (row === 3 || column === 5) return 0;
    return column === 7 ? x * 1e-40 : x;
  });
  odd[9] = 50;
  const nodes = [node("MatMul", ["x", "odd"], ["a"]), node("MatMul", ["x", "zero"], ["b"]), node("Add", ["a", "b"], ["y"])];
  return { ...dense(64, 32, nodes, [writeF32("odd", [64, 32], odd), writeF32("zero", [64, 32], new Float32Array(64 * 32))]), ...feed(64) };
});

/** Names that break a JSON report, a file name, an object used as a map, or the suffixes that a quantizer appends. */
export const ODD_NAMES: readonly string[] = [
  "weight with spaces",
  "вес/重み/🪶",
  '{"name":"w"}',
  'it\'s "quoted"',
  "fc",
  "fc_quantized",
  "fc_scale",
  "__proto__",
  "constructor",
  "line\nbreak\\",
];

export const oddNames = generator("odd-names", "weights named with spaces, unicode, JSON, quotes, and names that collide", () => {
  const at = (i: number) => (i === 0 ? "x" : i === ODD_NAMES.length ? "y" : `${ODD_NAMES[i]}/output`);
  const nodes = ODD_NAMES.map((name, i) => node("MatMul", [at(i), name], [at(i + 1)], {}, { name }));
  return {
    ...dense(
      40,
      40,
      nodes,
      ODD_NAMES.map((name, i) => weight(name, [40, 40], i + 1)),
    ),
    ...feed(40),
  };
});

/** The weight is used, and is a graph output too: its values are part of the contract with the caller. */
export const outputWeight = generator("output-weight", "an initializer that is also a graph output", () => {
  const base = dense(64, 32, [node("MatMul", ["x", "w"], ["y"])], [weight("w", [64, 32], 1)]);
  return { graph: { ...base.graph, outputs: [...base.graph.outputs, value("w", FLOAT, [64, 32])] }, ...feed(64) };
});

/** No node reads the second weight. (At IR 3 onnxruntime refuses such a model unless the weight is listed as a graph input.) */
export const unusedWeight = generator("unused-weight", "an initializer that no node uses", () => ({
  ...dense(64, 32, [node("MatMul", ["x", "w"], ["y"])], [weight("w", [64, 32], 1), weight("unused", [40, 40], 2)]),
  ...feed(64),
}));

/** One weight with three consumers of different kinds: a MatMul, a second MatMul, and an elementwise Mul. */
export const sharedWeight = generator("shared-weight", "a weight with two MatMul consumers and one elementwise consumer", () => ({
  ...dense(
    40,
    40,
    [
      node("MatMul", ["x", "w"], ["a"]),
      node("Tanh", ["a"], ["b"]),
      node("MatMul", ["b", "w"], ["c"]),
      node("Mul", ["w", "w"], ["squares"]),
      node("MatMul", ["c", "squares"], ["y"]),
    ],
    [weight("w", [40, 40], 1)],
  ),
  ...feed(40),
}));

/** A weight of another type and the Casts around its arithmetic. */
function typed(name: string, note: string, data_type: number, arithmetic: boolean, convert: (data: Float32Array) => TensorSpec["data"]) {
  const cast = (from: string, to: string, type: number) => node("Cast", [from], [to], { to: type });
  const nodes = arithmetic
    ? [cast("x", "xc", data_type), node("MatMul", ["xc", "w"], ["a"]), node("Add", ["a", "b"], ["c"]), cast("c", "y", FLOAT)]
    : [cast("w", "wc", FLOAT), cast("b", "bc", FLOAT), node("MatMul", ["x", "wc"], ["a"]), node("Add", ["a", "bc"], ["y"])];
  return (storage?: TensorSpec["storage"]) => (options?: GenerateOptions) =>
    generator(name, note, () => ({
      ...dense(64, 32, nodes, [
        tensor("w", data_type, [64, 32], convert(randn(64 * 32, 1, 0.1)), storage && { storage }),
        tensor("b", data_type, [32], convert(randn(32, 2, 0.1)), storage && { storage }),
      ]),
      ...feed(64),
    }))(options);
}

const halves = (data: Float32Array) => Uint16Array.from(data, toFloat16Bits);

export const halfModel = typed("half", "f16 weights and f16 arithmetic", FLOAT16, true, halves)();
export const halfTyped = typed("half-typed", "f16 weights in int32_data, cast to f32", FLOAT16, false, halves)("unpacked");
export const bf16Weights = typed("bf16", "bf16 weights, cast to f32", BFLOAT16, false, (data) => Uint16Array.from(data, toBfloat16Bits))();
export const doubleModel = typed("double", "f64 weights and f64 arithmetic", DOUBLE, true, (data) => Float64Array.from(data))();
