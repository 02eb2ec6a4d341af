import { activate } from "./activation";
import { bytes, ROUND, ROUND_BITS } from "../lanes";
import { copy } from "./q8_window";
import { BIAS, EMIT, SCALE, START } from "./q8_work";

// What becomes of the int32 sums of a block while they are in the cache.

/** What lies at `output`: `Output` of src/kernels/infer/integer-layout.ts. */
@unmanaged
export class Output {
  kind: i32;
  zero: i32;
  low: i32;
  high: i32;
  scale: f32;
  activation: i32;
  alpha: f32;
  beta: f32;
}

export const SUM: i32 = 0;
export const FLOAT: i32 = 1;
export const BYTE: i32 = 2;
export const FLOAT_BYTE: i32 = 3;

/** Bytes of an output. */
// @ts-ignore: decorator
@inline
export function size_of(output: Output): usize {
  return output.kind < BYTE ? 4 : 1;
}

/** Whether sums become bytes by their scales alone, so that tiles may write them themselves. */
// @ts-ignore: decorator
@inline
export function writes_bytes(output: Output): bool {
  return output.kind == BYTE;
}

/** What the sums of `n` columns start from, and their scales and biases, with zeros up to a multiple of 16; and what `put8` needs. */
export function prepare(n: i32, bias: usize, scale: usize, output: Output, work: usize): void {
  const integer = output.kind == SUM || output.kind == BYTE;
  const end = (n + 15) & ~15;
  for (let i = 0; i < end; i++) {
    const at = (<usize>i) << 2;
    const inside = i < n;
    store<i32>(work + at, inside && integer && bias ? load<i32>(bias + at) : 0, START);
    store<f32>(work + at, inside && scale ? load<f32>(scale + at) : 0, SCALE);
    store<f32>(work + at, inside && !integer && bias ? load<f32>(bias + at) : 0, BIAS);
  }
  v128.store(work, f32x4.splat(<f32>(output.low - output.zero)), EMIT);
  v128.store(work, f32x4.splat(<f32>(output.high - output.zero)), EMIT + 16);
  v128.store(work, i32x4.splat(ROUND_BITS - output.zero), EMIT + 32);
  v128.store(work, f32x4.splat(ROUND), EMIT + 48);
  v128.store(work, i16x8.splat(255), EMIT + 64);
}

/** Eight sums, as bytes where `emit` is set. */
// @ts-ignore: decorator
@inline
export function put8(l: v128, r: v128, scale: usize, emit: usize, y: usize): void {
  if (emit) {
    const least = v128.load(emit),
      most = v128.load(emit, 16),
      shift = v128.load(emit, 32);
    const round = v128.load(emit, 48);
    const a = clip_round(f32x4.mul(f32x4.convert_i32x4_s(l), v128.load(scale)), least, most, round, shift);
    const b = clip_round(f32x4.mul(f32x4.convert_i32x4_s(r), v128.load(scale, 16)), least, most, round, shift);
    const v = v128.and(i16x8.narrow_i32x4_s(a, b), v128.load(emit, 64));
    v128.store64_lane(y, i8x16.narrow_i16x8_u(v, v), 0);
  } else {
    v128.store(y, l);
    v128.store(y, r, 16);
  }
}

/** Maps `m` rows of `n` bytes through a table; `y` may be `x`. */
export function look_up(m: i32, n: i32, table: usize, x: usize, ldx: i32, y: usize, ldy: i32): void {
  if (ldx == n && ldy == n) {
    n *= m;
    m = 1;
  }
  for (; m > 0; m--) {
    let p = x,
      q = y,
      i = n;
    for (; i >= 4; i -= 4) {
      // Written at once: a byte that is written makes the next read wait.
      const a = load<u8>(table + <usize>load<u8>(p)),
        b = load<u8>(table + <usize>load<u8>(p, 1)),
        c = load<u8>(table + <usize>load<u8>(p, 2)),
        d = load<u8>(table + <usize>load<u8>(p, 3));
      store<u32>(q, (<u32>a) | ((<u32>b) << 8) | ((<u32>c) << 16) | ((<u32>d) << 24));
      p += 4;
      q += 4;
    }
    for (; i > 0; i--) store<u8>(q++, load<u8>(table + <usize>load<u8>(p++)));
    x += <usize>ldx;
    y += <usize>ldy;
  }
}

/**
 * Writes `m` rows of `n` outputs to `y`, `ldy` outputs from row to row. `sums` is int32[m, n rounded up to 16], `scale` and `bias` are
 * float32[n rounded up to 16].
 */
export function finish(m: i32, n: i32, sums: usize, scale: usize, bias: usize, table: usize, output: Output, y: usize, ldy: i32): void {
  const width = (n + 15) & ~15;
  const lds = (<usize>width) << 2;
  const next = <usize>ldy * size_of(output);
  if (output.kind == FLOAT_BYTE) {
    for (let i = 0, p = sums; i < m; i++, p += lds) to_floats(n, p, scale, bias, p);
    activate(m * width, sums, sums, output.activation, output.alpha, output.beta);
  }
  for (; m > 0; m--) {
    if (output.kind == SUM) copy(n << 2, sums, y);
    else if (output.kind == FLOAT) {
      to_floats(n, sums, scale, bias, y);
      if (output.activation) activate(n, y, y, output.activation, output.alpha, output.beta);
    } else {
      if (output.kind == BYTE) to_bytes(n, sums, scale, y, output);
      else quantize(n, sums, y, output);
      if (table) look_up(1, n, table, y, n, y, n);
    }
    sums += lds;
    y += next;
  }
}

/** `y = x * scale + bias`; `y` may be `x`. */
function to_floats(n: i32, x: usize, scale: usize, bias: usize, y: usize): void {
  for (; n >= 4; n -= 4) {
    v128.store(y, f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(v128.load(x)), v128.load(scale)), v128.load(bias)));
    x += 16;
    scale += 16;
    bias += 16;
    y += 16;
  }
  for (; n > 0; n--) {
    store<f32>(y, <f32>load<i32>(x) * load<f32>(scale) + load<f32>(bias));
    x += 4;
    scale += 4;
    bias += 4;
    y += 4;
  }
}

/** `v` clipped, rounded to the nearest even integer and moved by the zero point that `shift` has been lessened by. NaN is the least. */
// @ts-ignore: decorator
@inline
export function clip_round(v: v128, least: v128, most: v128, round: v128, shift: v128): v128 {
  return i32x4.sub(f32x4.add(f32x4.pmin(most, f32x4.pmax(least, v)), round), shift);
}

// @ts-ignore: decorator
@inline
function scaled(x: usize, scale: usize): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(v128.load(x)), v128.load(scale));
}

/** `y = clamp(roundTiesToEven(x * scale) + zero, low, high)` */
function to_bytes(n: i32, x: usize, scale: usize, y: usize, output: Output): void {
  const least = f32x4.splat(<f32>(output.low - output.zero)),
    most = f32x4.splat(<f32>(output.high - output.zero));
  const round = f32x4.splat(ROUND),
    shift = i32x4.splat(ROUND_BITS - output.zero);
  const byte = i16x8.splat(255);
  for (; n > 0; n -= 16) {
    const a = clip_round(scaled(x, scale), least, most, round, shift);
    const b = clip_round(scaled(x + 16, scale + 16), least, most, round, shift);
    const c = clip_round(scaled(x + 32, scale + 32), least, most, round, shift);
    const d = clip_round(scaled(x + 48, scale + 48), least, most, round, shift);
    put(n, bytes(a, b, c, d, byte), x, y);
    x += 64;
    scale += 64;
    y += 16;
  }
}

/** `y = clamp(roundTiesToEven(x / scale) + zero, low, high)`; NaN is the zero point. */
function quantize(n: i32, x: usize, y: usize, output: Output): void {
  const least = f32x4.splat(<f32>(output.low - output.zero)),
    most = f32x4.splat(<f32>(output.high - output.zero));
  const round = f32x4.splat(ROUND),
    shift = i32x4.splat(ROUND_BITS - output.zero);
  const byte = i16x8.splat(255);
  const s = f32x4.splat(output.scale);
  for (; n > 0; n -= 16) {
    const a = clip_round(quotient(x, s), least, most, round, shift);
    const b = clip_round(quotient(x + 16, s), least, most, round, shift);
    const c = clip_round(quotient(x + 32, s), least, most, round, shift);
    const d = clip_round(quotient(x + 48, s), least, most, round, shift);
    put(n, bytes(a, b, c, d, byte), x, y);
    x += 64;
    y += 16;
  }
}

/** `x / scale`, and 0 for NaN. */
// @ts-ignore: decorator
@inline
function quotient(x: usize, scale: v128): v128 {
  const q = f32x4.div(v128.load(x), scale);
  return v128.and(q, f32x4.eq(q, q));
}

/** Writes the first `n` of sixteen bytes. What was at `x` is done with, and takes those that go only in part. */
// @ts-ignore: decorator
@inline
function put(n: i32, v: v128, x: usize, y: usize): void {
  if (n >= 16) v128.store(y, v);
  else {
    v128.store(x, v);
    copy(n, x, y);
  }
}
