/** Convolutions of bytes, whichever kernel they go to, give what onnxruntime gives to a step. It is the WebAssembly one:
 * the native one saturates sums of two products where the processor has no VNNI. */
import { expect, test } from "vitest";
import { load } from "../../src/index.ts";
import { random } from "../../src/kernels/row.ts";
import { DataType, encodeModel, node, type TensorSpec, tensor, value } from "../kit/onnx.ts";
import { runWeb } from "../kit/ort.ts";

interface Shape {
  readonly c: number;
  readonly n: number;
  readonly taps: number;
  readonly stride?: number;
  readonly group?: number;
  /** The magnitude of all weights; else they are random. */
  readonly weight?: number;
}

test.each<Shape>([
  { c: 16, n: 24, taps: 3 },
  { c: 9, n: 5, taps: 3 },
  { c: 16, n: 8, taps: 3, stride: 2 },
  { c: 3, n: 8, taps: 3 },
  { c: 24, n: 24, taps: 1 },
  { c: 16, n: 16, taps: 3, group: 16 },
  { c: 16, n: 8, taps: 3, group: 2 },
  // Sums that Winograd's algorithm could not hold.
  { c: 120, n: 9, taps: 3, weight: 127 },
])("%o", async ({ c, n, taps, stride = 1, group = 1, weight }) => {
  const next = random(c + n);
  const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => next() * 256);
  const side = 11;
  const k = (c / group) * taps * taps;
  const w = Int8Array.from(bytes(n * k), (v) => (weight ? (v & 1 ? weight : -weight) : v - 128));
  const pad = taps >> 1;
  const attributes = { kernel_shape: [taps, taps], strides: [stride, stride], pads: [pad, pad, pad, pad], group };
  const one = (name: string, v: number): TensorSpec => tensor(name, DataType.FLOAT, [], Float32Array.of(v));
  const zero = (name: string, v: number): TensorSpec => tensor(name, DataType.UINT8, [], Uint8Array.of(v));
  const graph = {
    nodes: [
      node("DequantizeLinear", ["x", "xs", "xz"], ["fx"]),
      node("DequantizeLinear", ["w", "ws", "wz"], ["fw"]),
      node("DequantizeLinear", ["b", "bs"], ["fb"]),
      node("Conv", ["fx", "fw", "fb"], ["fy"], attributes),
      node("QuantizeLinear", ["fy", "ys", "yz"], ["y"]),
    ],
    initializers: [
      ...[one("xs", 0.02), zero("xz", 117), one("ws", 0.01), one("bs", 0.0002), tensor("wz", DataType.INT8, [], Int8Array.of(0))],
      ...[one("ys", 0.03 * Math.sqrt(k)), zero("yz", 130), tensor("w", DataType.INT8, [n, c / group, taps, taps], w)],
      tensor(
        "b",
        DataType.INT32,
        [n],
        Int32Array.from(bytes(n), (v) => (v - 128) * 100),
      ),
    ],
    inputs: [value("x", DataType.UINT8, [2, c, side, side])],
    outputs: [value("y", DataType.UINT8)],
  };
  const model = encodeModel({ graph, opsets: { "": 13 } });
  const [dims, data] = [[2, c, side, side], bytes(2 * c * side * side)];
  const want = (await runWeb(model, { x: { type: "uint8", dims, data } })).y!;
  const got = (await (await load(model)).run({ x: { dtype: "uint8", shape: dims, data } })).y!;
  expect(got.shape).toEqual([...want.dims]);
  const steps = Array.from(want.data as Uint8Array, (v, i) => Math.abs(v - (got.data as Uint8Array)[i]!));
  expect(Math.max(...steps)).toBeLessThanOrEqual(1);
  expect(steps.filter((step) => step > 0).length).toBeLessThanOrEqual(steps.length / 1000);
  expect(new Set(want.data as Uint8Array).size).toBeGreaterThan(100);
});
