import { activation } from "./activation-reference.ts";

/** What the elementwise kernels compute, one element after the other, in double precision. */

export function f32_activate(n: number, x: Float32Array, y: Float32Array, kind: number, alpha: number, beta: number): void {
  for (let i = 0; i < n; i++) y[i] = activation(x[i]!, kind, alpha, beta);
}

const roundTiesToEven = (x: number): number => {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
};

const { abs, sqrt, floor, ceil, sign, log, sin, cos, tan, asin, acos, atan, sinh, cosh, asinh, acosh, atanh } = Math;
const invert = [(x: number) => -x, (x: number) => 1 / x] as const;
export const UNARY: readonly ((x: number) => number)[] = [
  ...[abs, invert[0], sqrt, invert[1], floor, ceil, roundTiesToEven, sign, log],
  ...[sin, cos, tan, asin, acos, atan, sinh, cosh, asinh, acosh, atanh],
];

export function f32_unary(n: number, x: Float32Array, y: Float32Array, op: number): void {
  for (let i = 0; i < n; i++) y[i] = UNARY[op]!(x[i]!);
}

export const BINARY: readonly ((a: number, b: number) => number)[] = [
  (a, b) => a + b,
  (a, b) => a - b,
  (a, b) => a * b,
  (a, b) => a / b,
  Math.min,
  Math.max,
  // In C and ONNX, unlike here, a power of 1 is 1 whatever the exponent.
  (a, b) => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b),
  (a, b) => (a < 0 ? a * b : a),
];

const COMPARE: readonly ((a: number, b: number) => boolean)[] = [(a, b) => a === b, (a, b) => a < b, (a, b) => a <= b];

/** The offsets of every element of four axes in operands of such strides. */
function* offsets(dims: readonly number[], ...strides: readonly (readonly number[])[]): Iterable<number[]> {
  const at = [0, 0, 0, 0];
  const total = dims.reduce((a, b) => a * b, 1);
  for (let i = 0; i < total; i++) {
    for (let rest = i, axis = 3; axis >= 0; rest = Math.floor(rest / dims[axis]!), axis--) at[axis] = rest % dims[axis]!;
    yield strides.map((stride) => stride.reduce((sum, s, axis) => sum + s * at[axis]!, 0));
  }
}

type Four = [number, number, number, number];

export function f32_binary(op: number, a: Float32Array, b: Float32Array, y: Float32Array, ...rest: [...Four, ...Four, ...Four]): void {
  let i = 0;
  for (const [p, q] of offsets(rest.slice(0, 4), rest.slice(4, 8), rest.slice(8))) y[i++] = BINARY[op]!(a[p!]!, b[q!]!);
}

export function f32_compare(op: number, a: Float32Array, b: Float32Array, y: Uint8Array, ...rest: [...Four, ...Four, ...Four]): void {
  let i = 0;
  for (const [p, q] of offsets(rest.slice(0, 4), rest.slice(4, 8), rest.slice(8))) y[i++] = Number(COMPARE[op]!(a[p!]!, b[q!]!));
}

type Sixteen = [...Four, ...Four, ...Four, ...Four];

export function f32_where(c: Uint8Array, a: Float32Array, b: Float32Array, y: Float32Array, ...rest: Sixteen): void {
  let i = 0;
  const strides = [rest.slice(4, 8), rest.slice(8, 12), rest.slice(12)];
  for (const [o, p, q] of offsets(rest.slice(0, 4), ...strides)) y[i++] = c[o!] !== 0 ? a[p!]! : b[q!]!;
}
