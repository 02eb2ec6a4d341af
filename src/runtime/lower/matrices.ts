/** Products of matrices that come with the run. https://onnx.ai/onnx/operators/onnx__MatMul.html */
import { broadcastStrides, offsets } from "../../ops/strides.ts";
import { elements } from "../../tensor.ts";
import type { Lower } from "./lower.ts";
import { packedBytes } from "./products.ts";

/** One matrix after the other; the second is packed unless it is the one before. */
export const MatMul: Lower = ({ inputs: [a, b], outputs: [y], fn, work, temporary }) => {
  if (!a || !b || !y || a.dtype !== "float32" || b.dtype !== "float32" || a.shape.length < 1 || b.shape.length < 1) return undefined;
  // A vector is a matrix of one row, or of one column.
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape;
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape;
  const [m, k, n] = [left.at(-2), left.at(-1), right.at(-1)] as [number, number, number];
  const batch = y.shape.slice(0, y.shape.length - (a.shape.length > 1 ? 1 : 0) - (b.shape.length > 1 ? 1 : 0));
  const isOne = right.length === 2 || elements(right.slice(0, -2)) === 1;
  const packed = temporary(packedBytes(k, n));
  if (isOne) {
    const rows = m * elements(batch);
    return () => {
      fn.f32_pack_b(k, n, b.address, n, packed);
      fn.f32_gemm(rows, n, k, a.address, k, packed, 0, y.address, n, 0, 0, 0, 0, 0, 0, 0, work);
    };
  }
  const [from_a, from_b] = [left, right].map((shape) => offsets(batch, broadcastStrides(shape.slice(0, -2), batch))) as [
    Int32Array,
    Int32Array,
  ];
  return () => {
    for (let i = 0, before = -1; i < from_a.length; i++) {
      const matrix = from_b[i] as number;
      if (matrix !== before) fn.f32_pack_b(k, n, b.address + matrix * k * n * 4, n, packed);
      before = matrix;
      const [from, to] = [a.address + (from_a[i] as number) * m * k * 4, y.address + i * m * n * 4];
      fn.f32_gemm(m, n, k, from, k, packed, 0, to, n, 0, 0, 0, 0, 0, 0, 0, work);
    }
  };
};
