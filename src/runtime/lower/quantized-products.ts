/** Products of bytes, and of floats with weights of a few bits. */
import {
  type Output,
  outputWords,
  Q8_FORMS,
  q8DepthwiseFits,
  q8PackedBytes,
  q8WinogradWorkBytes,
  windowWords,
} from "../../kernels/infer/integer-layout.ts";
import { int, text } from "../../ops/op.ts";
import { broadcastStrides, offsets } from "../../ops/strides.ts";
import { elements } from "../../tensor.ts";
import type { Operand } from "../operand.ts";
import { Q8_WINOGRAD } from "../packing-quantized.ts";
import type { Call, Lower } from "./lower.ts";
import { type Pair, planeOf } from "./plane.ts";
import { hasSize, isDepthwise } from "./products.ts";

/** What becomes of the sums, as the node says it. */
function outputOf({ node }: Call): Output {
  const number = (name: string, otherwise: number) => {
    const value = node.attributes[name];
    return typeof value === "number" ? value : otherwise;
  };
  return {
    kind: text(node, "out", "float") as Output["kind"],
    zero: number("y_zero", 0),
    low: number("low", 0),
    high: number("high", 255),
    y_scale: number("y_scale", 1),
    activation: number("kind", 0),
    alpha: number("alpha", 0),
    beta: number("beta", 0),
  };
}

export const signed = (dtype: string): number => (dtype === "int8" ? 1 : 0);
/** Reads a zero point when the model runs. */
const zeroAt =
  ({ arena }: Call, { dtype, address }: Operand): (() => number) =>
  () => {
    const [byte = 0] = arena.u8(address, 1);
    return dtype === "int8" ? (byte << 24) >> 24 : byte;
  };

/** The zero point of x, an input or else an attribute. */
function zeroOf(call: Call): () => number {
  const zero = call.inputs[5];
  const fixed = int(call.node, "x_zero", 0);
  return zero ? zeroAt(call, zero) : () => fixed;
}

/** Scales of `n` columns: where they lie, and what spreads one over all. */
function scalesOf({ inputs: [, , , scale], arena, fn, temporary }: Call, n: number): { address: number; spread(): void } {
  if (!scale || n === 1 || elements(scale.shape) === n) return { address: scale?.address ?? 0, spread() {} };
  const address = temporary(n * 4);
  return {
    address,
    spread: () => fn.f32_fill(n, address, new DataView(arena.u8(scale.address, 4).buffer, scale.address).getFloat32(0, true)),
  };
}

/** Whether what ends a product of bytes fits its `n` columns: bias, scales, zero points of the weight; and the table. */
const isEnded = ({ inputs: [, , bias, scale, map, , zeros] }: Call, n: number): boolean =>
  hasSize(bias, n) && (hasSize(scale, n) || hasSize(scale, 1)) && hasSize(zeros, n) && hasSize(map, 256);

/** Bytes of an element. */
const width = (dtype: string): number => (/8$/.test(dtype) ? 1 : 4);

export const QConv: Lower = (call) => {
  const { inputs, outputs, fn, work, node, table } = call;
  const [x, w, bias, , map] = inputs;
  const [y] = outputs;
  if (!x || !w || !y) return undefined;
  const plane = planeOf(call, x.shape, y.shape, w.shape.slice(2));
  if (!plane) return undefined;
  const { h, wd, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl } = plane;
  const [images = 0] = x.shape;
  const [c, n] = [x.shape.at(-1), y.shape.at(-1)] as Pair;
  if (!isEnded(call, n)) return undefined;
  const group = int(node, "group", 1);
  const [cg, ng] = [c / group, n / group];
  const isSpread = isDepthwise(group, w.shape) && q8DepthwiseFits(kh, kw, dw);
  const window = table(windowWords({ h, w: wd, c: isSpread ? c : cg, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl, ldx: c }));
  const output = table(outputWords(outputOf(call)));
  const [x_signed, zero, scale] = [signed(x.dtype), zeroOf(call), scalesOf(call, n)];
  const size = width(y.dtype);
  const panel = w.stride ?? 0;
  const room = w.form === Q8_WINOGRAD ? call.temporary(q8WinogradWorkBytes(c)) : 0;
  return () => {
    const x_zero = zero();
    scale.spread();
    for (let i = 0; i < images; i++) {
      const [from, to] = [x.address + i * h * wd * c, y.address + i * oh * ow * n * size];
      const [added, mapped] = [bias?.address ?? 0, map?.address ?? 0];
      if (isSpread) {
        fn.q8_depthwise(from, window, x_signed, x_zero, w.address, to, n, added, scale.address, mapped, output, work);
        continue;
      }
      if (room) {
        fn.q8_winograd_conv(
          ...([from, window, x_signed, x_zero, w.address, n, to, n, added, scale.address, mapped, output, room] as const),
        );
        continue;
      }
      for (let g = 0; g < group; g++) {
        const [own, b] = [added && added + g * ng * 4, w.address + g * panel];
        fn.q8_conv(
          ...([from + g * cg, window, x_signed, x_zero, b, w.form ?? 0, ng, to + g * ng * size, n, own] as const),
          ...([scale.address + g * ng * 4, mapped, output, work] as const),
        );
      }
    }
  };
};

export const QMatMul: Lower = (call) => {
  const { inputs, outputs, fn, work, table } = call;
  const [a, b, bias, , map] = inputs;
  const [y] = outputs;
  if (!a || !b || !y) return undefined;
  const [k, n] = [a.shape.at(-1), y.shape.at(-1)] as Pair;
  if (!isEnded(call, n)) return undefined;
  const m = elements(a.shape.slice(0, -1));
  const output = table(outputWords(outputOf(call)));
  const [a_signed, zero, scale] = [signed(a.dtype), zeroOf(call), scalesOf(call, n)];
  return () => {
    scale.spread();
    fn.q8_gemm(
      ...([m, n, k, a.address, k, a_signed, zero(), b.address, b.form ?? 0, y.address, n, bias?.address ?? 0] as const),
      ...([scale.address, map?.address ?? 0, output, work] as const),
    );
  };
};

/** Floats times weights of 4 or 8 bits, packed with their scales. */
export const BlockMatMul: Lower = (call) => {
  const { node, inputs, outputs, fn, work } = call;
  const [a, b, bias] = inputs;
  const [y] = outputs;
  if (!a || !b || !y || !hasSize(bias, int(node, "n", 0))) return undefined;
  const { bits, n, k, block, kind = 0, alpha = 0, beta = 0 } = node.attributes as Record<string, number>;
  const m = elements(a.shape.slice(0, -1));
  const [columns, depth, size, added] = [n as number, k as number, block as number, bias?.address ?? 0];
  return () =>
    fn.f32_qbw_gemm(
      ...([bits as number, m, columns, depth, size, a.address, depth, b.address, y.address, columns, added] as const),
      ...([kind, alpha, beta, work] as const),
    );
};

/** Of matrices that come with the run: the second is packed. https://onnx.ai/onnx/operators/onnx__MatMulInteger.html */
export const MatMulInteger: Lower = (call) => {
  const { inputs, outputs, fn, work, table, temporary } = call;
  const [a, b, a_zero, b_zero] = inputs;
  const [y] = outputs;
  if (!a || !b || !y || a.shape.length === 0 || b.shape.length === 0 || (a_zero && elements(a_zero.shape) !== 1)) return undefined;
  // A vector is a matrix of one row, or of one column.
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape;
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape;
  const [m, k, n] = [left.at(-2), left.at(-1), right.at(-1)] as [number, number, number];
  const isSpread = b_zero !== undefined && elements(b_zero.shape) === 1;
  if (b_zero && !isSpread && (b_zero.shape.length !== 1 || b_zero.shape[0] !== n)) return undefined;
  const batch = y.shape.slice(0, y.shape.length - (a.shape.length > 1 ? 1 : 0) - (b.shape.length > 1 ? 1 : 0));
  const [from_a, from_b] = [left, right].map((shape) => offsets(batch, broadcastStrides(shape.slice(0, -2), batch))) as [
    Int32Array,
    Int32Array,
  ];
  const packed = temporary(q8PackedBytes(n, k, Q8_FORMS.wide));
  const zeros = !b_zero ? 0 : isSpread ? temporary(n) : b_zero.address;
  const output = table(outputWords({ kind: "sum" }));
  const [a_signed, b_signed] = [signed(a.dtype), signed(b.dtype)];
  const [zero, shift] = [a_zero, b_zero].map((each) => (each ? zeroAt(call, each) : () => 0)) as [() => number, () => number];
  return () => {
    if (isSpread) fn.u8_fill(n, zeros, shift());
    for (let i = 0, before = -1; i < from_a.length; i++) {
      const matrix = from_b[i] as number;
      if (matrix !== before) fn.q8_pack(n, k, 1, b.address + matrix * k * n, 1, n, 0, b_signed, zeros, 0, packed);
      before = matrix;
      const [from, to] = [a.address + (from_a[i] as number) * m * k, y.address + i * m * n * 4];
      fn.q8_gemm(...([m, n, k, from, k, a_signed, zero(), packed, 0, to, n, 0, 0, 0, output, work] as const));
    }
  };
};
