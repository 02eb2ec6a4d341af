/** ONNX models that are sound on the wire, and must be refused. */
import { DataType, encodeModel, f32, type GraphSpec, type NodeSpec, node, randn, type TensorSpec, value } from "../kit/onnx.ts";
import type { Bytes } from "../kit/wire.ts";
import type { Fixture } from "./make-fixtures.ts";

const x = value("x", DataType.FLOAT, [1, 32]);
const weight = f32("w", [32, 32], randn(1024, 1));
const product = node("MatMul", ["x", "w"], ["y"], {}, { name: "product" });

const model = (nodes: readonly NodeSpec[], initializers: readonly TensorSpec[] = [weight], rest: Partial<GraphSpec> = {}): Bytes =>
  encodeModel({ graph: { nodes, initializers, inputs: [x], outputs: [value("y", DataType.FLOAT)], ...rest }, opsets: { "": 13 } });

const format = (name: string, bytes: Uint8Array, says: RegExp): Fixture => ({
  name: `onnx-${name}`,
  bytes,
  error: "FormatError",
  says,
});

export const onnxFixtures: Fixture[] = [
  format("dims-negative", model([product], [{ ...weight, dims: [-32, 32] }]), /'w' has dimension -32.*byte \d+/),
  format(
    "dims-overflow",
    model([product], [{ ...weight, dims: [2 ** 31, 2 ** 31, 4] }]),
    /'w' has shape .*more elements than can be counted/,
  ),
  format("dims-65", model([product], [{ ...weight, dims: Array.from({ length: 65 }, () => 1) }]), /'w' has 65 dimensions/),
  format("initializer-twice", model([product], [weight, weight]), /Two initializers are named 'w' \(at byte \d+\)/),
  format(
    "output-twice",
    model([product, node("Relu", ["x"], ["y"], {}, { name: "second" })]),
    /'second' defines 'y', which is defined already \(at byte \d+\)/,
  ),
  format(
    "output-is-weight",
    model([product, node("Relu", ["x"], ["w"], {}, { name: "second" })]),
    /'second' defines 'w', which is defined already/,
  ),
  format(
    "reads-nothing",
    model([node("MatMul", ["ghost", "w"], ["y"], {}, { name: "product" })]),
    /'product' reads 'ghost', which nothing defines \(at byte \d+\)/,
  ),
  format("output-of-nothing", model([product], [weight], { outputs: [value("ghost", 1)] }), /output 'ghost' is not defined/),
  format(
    "cycle",
    model([node("Add", ["y", "w"], ["z"], {}, { name: "a" }), node("Relu", ["z"], ["y"], {}, { name: "b" })]),
    /depends on its own output \(at byte \d+\)/,
  ),
  format("cycle-of-one", model([node("Add", ["y", "w"], ["y"], {}, { name: "a" })]), /Add 'a' depends on its own output/),
  format(
    "cycle-of-casts",
    model([node("Cast", ["d", "w"], ["c"], { to: 1 }), node("Cast", ["c"], ["d"], { to: 1 }), node("MatMul", ["x", "c"], ["y"])]),
    /depends on its own output/,
  ),
  {
    name: "onnx-no-weights",
    bytes: model([node("Relu", ["x"], ["y"])], []),
    error: "UnsupportedError",
    says: /change nothing: the model has no weights/,
    inspects: true,
  },
  {
    name: "onnx-opset-6",
    bytes: encodeModel({ graph: { nodes: [product], initializers: [weight], inputs: [x], outputs: [] }, opsets: { "": 6 } }),
    error: "UnsupportedError",
    says: /'w'.*opset 7.*opset 6/,
    inspects: true,
  },
];
