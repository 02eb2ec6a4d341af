import { zip16_high, zip16_low } from "../lanes";
import { finish, Output, prepare, size_of } from "./q8_output";
import { fill, Window } from "./q8_window";
import { BIAS, COLUMNS, PACKED, ROWS, SCALE, START, SUMS, WINDOWS } from "./q8_work";

// Convolution of every channel by itself. Two taps of eight channels meet two taps of weights: their bytes, widened and zipped, are what the
// dot product of int16 takes. Weights are groups of eight channels, int16[taps / 2][8][2] and int32[8] of their sums; the last group ends with
// the last channel, so that it may overlap the one before, and nothing is read beyond the data.

/** Most taps: their addresses lie where the other products have their windows. */
const MAX_TAPS: i32 = 1024;

/** Bytes of a group of packed weights. */
// @ts-ignore: decorator
@inline
function group_bytes(taps: i32): usize {
  return ((<usize>((taps + 1) & ~1)) << 4) + 32;
}

/** Packs weights [c, taps]; see src/kernels/infer/integer.ts. */
export function q8_pack_depthwise(c: i32, taps: i32, w: usize, w_signed: i32, zero: usize, p: usize): void {
  const bytes = group_bytes(taps);
  for (let j = 0; j < c; j += 8) {
    memory.fill(p, 0, bytes);
    const first = max(0, min(j, c - 8));
    for (let i = 0; i < min(8, c); i++) {
      const z = zero == 0 ? 0 : w_signed ? <i32>load<i8>(zero + first + i) : <i32>load<u8>(zero + first + i);
      let sum = 0;
      for (let t = 0; t < taps; t++) {
        const at = w + <usize>((first + i) * taps + t);
        const v = (w_signed ? <i32>load<i8>(at) : <i32>load<u8>(at)) - z;
        store<i16>(p + <usize>(((t >> 1) << 5) + (i << 2) + ((t & 1) << 1)), <i16>v);
        sum += v;
      }
      store<i32>(p + bytes - 32 + ((<usize>i) << 2), sum);
    }
    p += bytes;
  }
}

/** y[oh, ow, c] from x[h, w, c] and packed weights [kh, kw, c]; see src/kernels/infer/integer.ts. */
export function q8_depthwise(
  x: usize,
  window: usize,
  x_signed: i32,
  x_zero: i32,
  b: usize,
  y: usize,
  ldy: i32,
  bias: usize,
  scale: usize,
  table: usize,
  output: usize,
  work: usize,
): void {
  const v = changetype<Window>(window);
  const out = changetype<Output>(output);
  const c = v.c;
  const taps = v.kh * v.kw;
  if (taps > MAX_TAPS) unreachable();
  const group = group_bytes(taps);
  const pad = work + PACKED;
  fill(min(c, COLUMNS), x_zero, pad);
  for (let j = 0; j < c;) {
    // A last block of less than eight channels could not overlap.
    let columns = min(c - j, COLUMNS);
    if (c - j > columns && c - j - columns < 8) columns -= 8;
    const at = (<usize>j) << 2;
    prepare(columns, bias ? bias + at : 0, scale ? scale + at : 0, out, work);
    subtract_zero(columns, x_zero, b + group - 32, group, work + START);
    const pixels = v.oh * v.ow;
    let delta: usize = 0;
    let known = false;
    for (let i = 0; i < pixels; i += ROWS) {
      const rows = min(pixels - i, ROWS);
      let sums = work + SUMS;
      for (let r = i; r < i + rows; r++) {
        // Where all taps are in the image, those of the next pixel lie as far to the right of them as the pixel does.
        const inside = columns >= 8 && is_inside(v, r);
        if (inside && known && r % v.ow != 0) delta += <usize>v.sw * <usize>v.ldx;
        else {
          locate(v, x + <usize>j, columns, r, taps, pad, work + WINDOWS);
          delta = 0;
        }
        known = inside;
        if (taps == 9) {
          if (x_signed) nine<i8>(columns, delta, work + WINDOWS, b, work + START, sums);
          else nine<u8>(columns, delta, work + WINDOWS, b, work + START, sums);
        } else if (x_signed) any<i8>(columns, (taps + 1) >> 1, delta, work + WINDOWS, b, work + START, sums);
        else any<u8>(columns, (taps + 1) >> 1, delta, work + WINDOWS, b, work + START, sums);
        sums += (<usize>((columns + 15) & ~15)) << 2;
      }
      finish(rows, columns, work + SUMS, work + SCALE, work + BIAS, table, out, y + (<usize>i * <usize>ldy + <usize>j) * size_of(out), ldy);
    }
    b += group * <usize>((columns + 7) >> 3);
    j += columns;
  }
}

/** Takes the products of a zero point and the sums of weights off what the sums start from. */
function subtract_zero(n: i32, zero: i32, group_sums: usize, group: usize, start: usize): void {
  for (let i = 0; i < n; i++) {
    const first = max(0, min(i & ~7, n - 8));
    const p = start + ((<usize>i) << 2);
    store<i32>(p, load<i32>(p) - zero * load<i32>(group_sums + <usize>(i >> 3) * group + ((<usize>(i - first)) << 2)));
  }
}

/** Whether all taps of output pixel `i` are in the image. */
function is_inside(v: Window, i: i32): bool {
  const oy = i / v.ow;
  const top = oy * v.sh - v.pt,
    left = (i - oy * v.ow) * v.sw - v.pl;
  return top >= 0 && left >= 0 && top + (v.kh - 1) * v.dh < v.h && left + (v.kw - 1) * v.dw < v.w;
}

/** Notes where the taps of output pixel `i` are, and once more the last one where their number is odd. Outside of the image they are `pad`. */
export function locate(v: Window, x: usize, n: i32, i: i32, taps: i32, pad: usize, to: usize): void {
  const h = v.h,
    w = v.w,
    kw = v.kw,
    kh = v.kh,
    dh = v.dh,
    dw = v.dw;
  const ldx = <usize>v.ldx;
  const oy = i / v.ow;
  const left = (i - oy * v.ow) * v.sw - v.pl;
  let iy = oy * v.sh - v.pt;
  let own = pad + <usize>COLUMNS + 16;
  for (let ky = 0; ky < kh; ky++) {
    let ix = left;
    for (let kx = 0; kx < kw; kx++) {
      let p = <u32>iy < <u32>h && <u32>ix < <u32>w ? x + <usize>(iy * w + ix) * ldx : pad;
      if (n < 8) {
        // Eight channels are read.
        memory.copy(own, p, n);
        p = own;
        own += 8;
      }
      store<usize>(to, p);
      to += sizeof<usize>();
      ix += dw;
    }
    iy += dh;
  }
  if (taps & 1) store<usize>(to, load<usize>(to - sizeof<usize>()));
}

/** One pixel of `n` channels, with any taps, `delta` bytes behind those that are noted. */
function any<T>(n: i32, pairs: i32, delta: usize, taps: usize, b: usize, start: usize, sums: usize): void {
  for (let j = 0; j < n; j += 8) {
    const at = <usize>max(0, min(j, n - 8));
    const from = at + delta;
    let l = v128.load(start + (at << 2)),
      r = v128.load(start + (at << 2), 16);
    let tap = taps;
    for (let i = pairs; i > 0; i--) {
      const x = v128.load_ext<T>(load<usize>(tap) + from),
        y = v128.load_ext<T>(load<usize>(tap, sizeof<usize>()) + from);
      l = i32x4.add(l, i32x4.dot_i16x8_s(zip16_low(x, y), v128.load(b)));
      r = i32x4.add(r, i32x4.dot_i16x8_s(zip16_high(x, y), v128.load(b, 16)));
      tap += 2 * sizeof<usize>();
      b += 32;
    }
    b += 32;
    v128.store(sums + (at << 2), l);
    v128.store(sums + (at << 2), r, 16);
  }
}

/** The same with nine taps. */
function nine<T>(n: i32, delta: usize, taps: usize, b: usize, start: usize, sums: usize): void {
  const t0 = load<usize>(taps),
    t1 = load<usize>(taps, 1 * sizeof<usize>()),
    t2 = load<usize>(taps, 2 * sizeof<usize>());
  const t3 = load<usize>(taps, 3 * sizeof<usize>()),
    t4 = load<usize>(taps, 4 * sizeof<usize>()),
    t5 = load<usize>(taps, 5 * sizeof<usize>());
  const t6 = load<usize>(taps, 6 * sizeof<usize>()),
    t7 = load<usize>(taps, 7 * sizeof<usize>()),
    t8 = load<usize>(taps, 8 * sizeof<usize>());
  const zero = i16x8.splat(0);
  for (let j = 0; j < n; j += 8) {
    const at = <usize>max(0, min(j, n - 8));
    const from = at + delta;
    let l = v128.load(start + (at << 2)),
      r = v128.load(start + (at << 2), 16);
    let x = v128.load_ext<T>(t0 + from),
      y = v128.load_ext<T>(t1 + from);
    l = i32x4.add(l, i32x4.dot_i16x8_s(zip16_low(x, y), v128.load(b)));
    r = i32x4.add(r, i32x4.dot_i16x8_s(zip16_high(x, y), v128.load(b, 16)));
    ((x = v128.load_ext<T>(t2 + from)), (y = v128.load_ext<T>(t3 + from)));
    l = i32x4.add(l, i32x4.dot_i16x8_s(zip16_low(x, y), v128.load(b, 32)));
    r = i32x4.add(r, i32x4.dot_i16x8_s(zip16_high(x, y), v128.load(b, 48)));
    ((x = v128.load_ext<T>(t4 + from)), (y = v128.load_ext<T>(t5 + from)));
    l = i32x4.add(l, i32x4.dot_i16x8_s(zip16_low(x, y), v128.load(b, 64)));
    r = i32x4.add(r, i32x4.dot_i16x8_s(zip16_high(x, y), v128.load(b, 80)));
    ((x = v128.load_ext<T>(t6 + from)), (y = v128.load_ext<T>(t7 + from)));
    l = i32x4.add(l, i32x4.dot_i16x8_s(zip16_low(x, y), v128.load(b, 96)));
    r = i32x4.add(r, i32x4.dot_i16x8_s(zip16_high(x, y), v128.load(b, 112)));
    x = v128.load_ext<T>(t8 + from);
    l = i32x4.add(l, i32x4.dot_i16x8_s(zip16_low(x, zero), v128.load(b, 128)));
    r = i32x4.add(r, i32x4.dot_i16x8_s(zip16_high(x, zero), v128.load(b, 144)));
    b += 192;
    v128.store(sums + (at << 2), l);
    v128.store(sums + (at << 2), r, 16);
  }
}
