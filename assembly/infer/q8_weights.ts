// Weights of the int8 products: panels of eight columns, k rounded up to 16 with zeros, in one of three forms.

/** int16[k/2][8][2] of weight minus zero point: for all weights. */
export const WIDE: i32 = 0;
/**
 * u7[k/4][8][4] of weight plus 64, followed by the eight columns' int32 sums of weights: for int8 weights in -64..63 without zero points, and
 * builds that have a product of int8 and u7.
 */
export const NARROW: i32 = 1;
/** int8[k/2][8][2]: for int8 weights without zero points. */
export const BYTES: i32 = 2;

/** Bytes of a panel. */
// @ts-ignore: decorator
@inline
export function panel_bytes(k: i32, form: i32): usize {
  const depth = (<usize>((k + 15) & ~15)) << 3;
  return form == WIDE ? depth << 1 : form == NARROW ? depth + 32 : depth;
}

/** Whether `n` int8 weights are all in -64..63, so that they can be packed narrow. */
export function q8_is_narrow(n: i32, w: usize): i32 {
  let least = i8x16.splat(0),
    most = least;
  for (; n >= 16; n -= 16) {
    const v = v128.load(w);
    least = i8x16.min_s(least, v);
    most = i8x16.max_s(most, v);
    w += 16;
  }
  const outside = v128.or(i8x16.lt_s(least, i8x16.splat(-64)), i8x16.gt_s(most, i8x16.splat(63)));
  let narrow = !v128.any_true(outside);
  for (; n > 0; n--) {
    const v = <i32>load<i8>(w++);
    narrow = narrow && v >= -64 && v <= 63;
  }
  return narrow;
}

/** Packs weights [taps, c] of `n` columns; see src/kernels/infer/integer.ts. */
export function q8_pack(
  n: i32,
  c: i32,
  taps: i32,
  w: usize,
  n_stride: i32,
  c_stride: i32,
  tap_stride: i32,
  w_signed: i32,
  zero: usize,
  form: i32,
  p: usize,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD && form == NARROW) unreachable();
  const panel = panel_bytes(c * taps, form);
  for (let j = 0; j < n; j += 8) {
    const columns = min(8, n - j);
    if (form == NARROW) (memory.fill(p, 64, panel - 32), memory.fill(p + panel - 32, 0, 32));
    else memory.fill(p, 0, panel);
    for (let i = 0; i < columns; i++) {
      const z = zero == 0 ? 0 : w_signed ? <i32>load<i8>(zero + j + i) : <i32>load<u8>(zero + j + i);
      const column = w + <usize>((j + i) * n_stride);
      if (form == NARROW) pack_narrow(c, taps, column, c_stride, tap_stride, p + <usize>(i << 2), p + panel - 32 + <usize>(i << 2));
      else if (form == BYTES) pack_bytes(c, taps, column, c_stride, tap_stride, p + <usize>(i << 1));
      else pack_wide(c, taps, column, c_stride, tap_stride, w_signed, z, p + <usize>(i << 2));
    }
    p += panel;
  }
}

function pack_wide(c: i32, taps: i32, w: usize, c_stride: i32, tap_stride: i32, w_signed: i32, zero: i32, p: usize): void {
  let k = 0;
  for (let tap = 0; tap < taps; tap++) {
    let from = w + <usize>(tap * tap_stride);
    for (let i = 0; i < c; i++) {
      const v = w_signed ? <i32>load<i8>(from) : <i32>load<u8>(from);
      store<i16>(p + <usize>(((k & ~1) << 4) + ((k & 1) << 1)), <i16>(v - zero));
      from += <usize>c_stride;
      k++;
    }
  }
}

function pack_bytes(c: i32, taps: i32, w: usize, c_stride: i32, tap_stride: i32, p: usize): void {
  let k = 0;
  for (let tap = 0; tap < taps; tap++) {
    let from = w + <usize>(tap * tap_stride);
    for (let i = 0; i < c; i++) {
      store<u8>(p + <usize>(((k & ~1) << 3) + (k & 1)), load<u8>(from));
      from += <usize>c_stride;
      k++;
    }
  }
}

function pack_narrow(c: i32, taps: i32, w: usize, c_stride: i32, tap_stride: i32, p: usize, sum: usize): void {
  let k = 0;
  let total = 0;
  for (let tap = 0; tap < taps; tap++) {
    let from = w + <usize>(tap * tap_stride);
    for (let i = 0; i < c; i++) {
      const v = <i32>load<i8>(from);
      store<u8>(p + <usize>(((k & ~3) << 3) + (k & 3)), <u8>(v + 64));
      total += v;
      from += <usize>c_stride;
      k++;
    }
  }
  store<i32>(sum, total);
}
