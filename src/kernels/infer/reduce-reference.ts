/** What reductions and normalizations compute, in double precision. */

const total = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0);
const lift = (f: (...values: number[]) => number, start: number) => (x: readonly number[]) => x.reduce((a, b) => f(a, b), start);

export const REDUCE: readonly ((x: readonly number[]) => number)[] = [
  total,
  (x) => total(x) / x.length,
  lift(Math.max, -Infinity),
  lift(Math.min, Infinity),
  lift((a, b) => a * b, 1),
  (x) => total(x.map(Math.abs)),
  (x) => Math.sqrt(total(x.map((v) => v * v))),
  (x) => total(x.map((v) => v * v)),
  (x) => Math.log(total(x)),
  (x) => {
    const most = lift(Math.max, -Infinity)(x);
    const shift = Math.abs(most) === Infinity ? 0 : most;
    return shift + Math.log(total(x.map((v) => Math.exp(v - shift))));
  },
];

/** The lines along the middle of [outer, n, inner], and where each element stands. */
function* lines(outer: number, n: number, inner: number): Iterable<number[]> {
  for (let o = 0; o < outer; o++) for (let j = 0; j < inner; j++) yield Array.from({ length: n }, (_, i) => (o * n + i) * inner + j);
}

export function f32_reduce(op: number, outer: number, n: number, inner: number, x: Float32Array, y: Float32Array): void {
  let i = 0;
  for (const line of lines(outer, n, inner)) y[i++] = REDUCE[op]!(line.map((at) => x[at]!));
}

type Arg = [least: number, last: number, outer: number, n: number, inner: number, x: Float32Array, y: BigInt64Array];

export function f32_arg(...[least, last, outer, n, inner, x, y]: Arg): void {
  let i = 0;
  for (const line of lines(outer, n, inner)) {
    const values = line.map((at) => (least ? -x[at]! : x[at]!));
    const most = values.some(Number.isNaN) ? Number.NaN : Math.max(...values);
    const same = (v: number) => v === most || (Number.isNaN(v) && Number.isNaN(most));
    y[i++] = BigInt(last ? values.findLastIndex(same) : values.findIndex(same));
  }
}

export function f32_softmax(outer: number, n: number, inner: number, x: Float32Array, y: Float32Array): void {
  for (const line of lines(outer, n, inner)) {
    const values = line.map((at) => x[at]!);
    const most = Math.max(...values);
    const sum = total(values.map((v) => Math.exp(v - most)));
    for (const [i, at] of line.entries()) y[at] = Math.exp(values[i]! - most) / sum;
  }
}

export function f32_log_softmax(outer: number, n: number, inner: number, x: Float32Array, y: Float32Array): void {
  for (const line of lines(outer, n, inner)) {
    const values = line.map((at) => x[at]!);
    const most = Math.max(...values);
    const sum = total(values.map((v) => Math.exp(v - most)));
    for (const [i, at] of line.entries()) y[at] = values[i]! - most - Math.log(sum);
  }
}

/** Normalizes the elements of x at `line`. */
function normalize(x: Float32Array, line: readonly number[], epsilon: number, centered = true): number[] {
  const values = line.map((at) => x[at]!);
  const mean = centered ? total(values) / values.length : 0;
  const variance = total(values.map((v) => (v - mean) ** 2)) / values.length;
  return values.map((v) => (v - mean) / Math.sqrt(variance + epsilon));
}

type Maybe = Float32Array | 0;
type LayerNorm = [
  ...[rows: number, n: number, x: Float32Array, y: Float32Array, scale: Float32Array, bias: Maybe, epsilon: number, centered: number],
  ...[skip: Maybe, total: Maybe],
];

export function f32_layer_norm(...[rows, n, x, y, scale, bias, epsilon, centered, skip, sum]: LayerNorm): void {
  const from = x.map((v, i) => v + (skip ? skip[i]! : 0));
  if (sum) sum.set(from);
  for (const line of lines(rows, n, 1)) {
    const values = normalize(from, line, epsilon, centered === 1);
    for (const [i, at] of line.entries()) y[at] = values[i]! * scale[i]! + (bias ? bias[i]! : 0);
  }
}

type GroupNorm = [
  ...[n: number, c: number, groups: number, x: Float32Array, y: Float32Array, scale: Float32Array, bias: Float32Array, epsilon: number],
];

export function f32_group_norm(...[n, c, groups, x, y, scale, bias, epsilon]: GroupNorm): void {
  const width = c / groups;
  for (let group = 0; group < groups; group++) {
    const line = Array.from({ length: n * width }, (_, i) => Math.floor(i / width) * c + group * width + (i % width));
    const values = normalize(x, line, epsilon);
    for (const [i, at] of line.entries()) y[at] = values[i]! * scale[at % c]! + bias[at % c]!;
  }
}

type Affine = [outer: number, c: number, inner: number, x: Float32Array, y: Float32Array, scale: Float32Array, bias: Float32Array];

export function f32_affine(...[outer, c, inner, x, y, scale, bias]: Affine): void {
  for (let i = 0; i < outer * c * inner; i++) {
    const channel = Math.floor(i / inner) % c;
    y[i] = x[i]! * scale[channel]! + bias[channel]!;
  }
}
