/** Products with constant weights: convolutions and matrices. https://onnx.ai/onnx/operators/ */
import type { Node } from "../../graph/graph.ts";
import { winogradTiles, winogradWorkBytes } from "../../kernels/infer/float.ts";
import { int } from "../../ops/op.ts";
import { elements } from "../../tensor.ts";
import type { Operand } from "../operand.ts";
import type { Call, Lower } from "./lower.ts";
import { type Pair, planeOf } from "./plane.ts";

/** Whether an operand, where there is one, has so many elements: fewer would be read beyond. */
export const hasSize = (operand: Operand | undefined, n: number): boolean => !operand || elements(operand.shape) === n;

/** Whether what is added to a product has a number for each of its `n` columns, or for each element. */
const isEnded = ({ inputs: [, , bias, z], outputs: [y] }: Call, n: number): boolean =>
  hasSize(bias, n) && y !== undefined && hasSize(z, elements(y.shape));

/** How a product ends. */
function endOf({ node: { attributes }, inputs }: Call) {
  const number = (name: string, otherwise: number) => (typeof attributes[name] === "number" ? attributes[name] : otherwise);
  return {
    bias: inputs[2]?.address ?? 0,
    z: inputs[3]?.address ?? 0,
    z_first: number("z_first", 1),
    kind: number("kind", 0),
    alpha: number("alpha", 0),
    beta: number("beta", 0),
  };
}

export const Conv: Lower = (call) => {
  const { inputs, outputs, fn, work, node } = call;
  const [x, w] = inputs;
  const [y] = outputs;
  if (!x || !w || !y) return undefined;
  const window = planeOf(call, x.shape, y.shape, w.shape.slice(2));
  if (!window) return undefined;
  const [images = 0] = x.shape;
  const [c, n] = [x.shape.at(-1), y.shape.at(-1)] as Pair;
  if (!isEnded(call, n)) return undefined;
  const group = int(node, "group", 1);
  const { h, wd, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl } = window;
  const { bias, z, z_first, kind, alpha, beta } = endOf(call);
  const [sizeX, sizeY] = [h * wd * c * 4, oh * ow * n * 4];
  if (isDepthwise(group, w.shape) && c === n && !z) {
    return () => {
      for (let i = 0; i < images; i++) {
        const [from, to] = [x.address + i * sizeX, y.address + i * sizeY];
        fn.f32_depthwise(from, w.address, to, bias, h, wd, c, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl, kind, alpha, beta);
      }
    };
  }
  if (isWinograd(node, w.shape) && !w.form) {
    const tiles = winogradTiles(c, n, oh, ow);
    const room = call.temporary(winogradWorkBytes(c, n, tiles));
    return () => {
      for (let i = 0; i < images; i++) {
        const [from, to] = [x.address + i * sizeX, i * sizeY];
        fn.f32_winograd_conv(
          ...([from, w.address, y.address + to, bias, z && z + to, h, wd, c, oh, ow, n, pt, pl, c, n, n] as const),
          ...([z_first, kind, alpha, beta, tiles, room] as const),
        );
      }
    };
  }
  const [cg, ng] = [c / group, n / group];
  const panel = w.stride ?? packedBytes(kh * kw * cg, ng);
  const sparse = w.form ? 1 : 0;
  return () => {
    for (let i = 0; i < images; i++) {
      for (let g = 0; g < group; g++) {
        const from = x.address + i * sizeX + g * cg * 4;
        const at = i * sizeY + g * ng * 4;
        const added = bias && bias + g * ng * 4;
        fn.f32_conv(
          ...([from, w.address + g * panel, sparse, y.address + at, added, z && z + at, h, wd, cg, oh, ow, ng] as const),
          ...([kh, kw, sh, sw, dh, dw, pt, pl] as const),
          ...([c, n, n, z_first, kind, alpha, beta, work] as const),
        );
      }
    }
  };
};

/** Weights that are transformed, at most: they become four times as large, and the gain is in images that are large beside them. */
const MAX_WINOGRAD_BYTES = 2.5 * 2 ** 20;
const LEAST_CHANNELS = 8;

/** Whether a convolution is done in the domain of Winograd's transform: 3×3 one pixel on, with channels enough. */
export function isWinograd(node: Node, shape: readonly number[]): boolean {
  const [n = 0, c = 0] = shape;
  return isPlain3x3(node, shape) && c % 4 === 0 && n % 4 === 0 && Math.min(c, n) >= LEAST_CHANNELS && n * c * 36 <= MAX_WINOGRAD_BYTES;
}

/** Whether a convolution with such weights is one group of 3×3 windows, one pixel from the next. */
export function isPlain3x3({ attributes }: Node, [, , ...kernel]: readonly number[]): boolean {
  const { group = 1, strides = [1, 1], dilations = [1, 1] } = attributes as Record<string, number & readonly number[]>;
  return group === 1 && kernel.join() === "3,3" && strides.join() === "1,1" && dilations.join() === "1,1";
}

/** Bytes of f32[k, n] in panels of eight columns. */
export const packedBytes = (k: number, n: number): number => Math.ceil(n / 8) * 8 * k * 4;

/** Whether every channel is a group of its own with one output. */
export const isDepthwise = (group: number, [n, c]: readonly number[]): boolean => group > 1 && c === 1 && n === group;

export const ConvTranspose: Lower = (call) => {
  const { inputs, outputs, fn, work, node, temporary } = call;
  const [x, w] = inputs;
  const [y] = outputs;
  if (!x || !w || !y || int(node, "group", 1) !== 1) return undefined;
  // The window moves over the output.
  const window = planeOf(call, y.shape, x.shape, w.shape.slice(2));
  if (!window || (node.attributes.auto_pad ?? "NOTSET") !== "NOTSET" || node.attributes.output_shape) return undefined;
  const [images = 0] = x.shape;
  const [c, n] = [x.shape.at(-1), y.shape.at(-1)] as Pair;
  if (!isEnded(call, n)) return undefined;
  const { h: oh, wd: ow, oh: h, ow: wd, kh, kw, sh, sw, dh, dw, pt, pl } = window;
  const { bias, kind, alpha, beta } = endOf(call);
  const columns = kh * kw * n;
  const at = temporary(h * wd * columns * 4);
  return () => {
    for (let i = 0; i < images; i++) {
      const [from, to] = [x.address + i * h * wd * c * 4, y.address + i * oh * ow * n * 4];
      fn.f32_gemm(h * wd, columns, c, from, c, w.address, 0, at, columns, 0, 0, 0, 0, 0, 0, 0, work);
      fn.f32_col2im(at, to, bias, h, wd, n, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl, kind, alpha, beta);
    }
  };
};

/** The product with a constant matrix, which is packed. */
export const MatMul: Lower = (call) => {
  const [a, b] = call.inputs;
  const [y] = call.outputs;
  const { fn, work } = call;
  if (!a || !b || !y) return undefined;
  const [k, n] = [a.shape.at(-1), y.shape.at(-1)] as Pair;
  if (!isEnded(call, n)) return undefined;
  const m = elements(a.shape.slice(0, -1));
  const { bias, z, z_first, kind, alpha, beta } = endOf(call);
  return () => fn.f32_gemm(m, n, k, a.address, k, b.address, b.form ? 1 : 0, y.address, n, bias, z, n, z_first, kind, alpha, beta, work);
};
