/** A bit for each of `n` <= 8 floats at `p`, the first the lowest: set where it is not zero, of either sign. */
function nonzero(n: i32, p: usize): u32 {
  if (n == 8) {
    const zero = f32x4.splat(0);
    return i16x8.bitmask(i16x8.narrow_i32x4_s(f32x4.ne(v128.load(p), zero), f32x4.ne(v128.load(p, 16), zero)));
  }
  let set: u32 = 0;
  for (let i = 0; i < n; ++i) set |= u32(load<f32>(p + ((<usize>i) << 2)) != 0) << i;
  return set;
}

/** Appends element `i` at `x` if its bit is set: it is written in any case, and written over if not. Returns where the next one goes. */
// @ts-ignore: decorator
@inline
function append<T>(i: usize, x: usize, set: u32, y: usize): usize {
  store<T>(y, load<T>(x + i * sizeof<T>()));
  return y + <usize>((set >> (<u32>i)) & 1) * sizeof<T>();
}

// @ts-ignore: decorator
@inline
function pack<T>(n: i32, x: usize, mask_values: usize, y: usize, bits: usize): i32 {
  const start = y;
  for (; n > 0; n -= 8) {
    const set = nonzero(min(n, 8), mask_values);
    store<u8>(bits++, set);
    if (n >= 8) {
      y = append<T>(0, x, set, y);
      y = append<T>(1, x, set, y);
      y = append<T>(2, x, set, y);
      y = append<T>(3, x, set, y);
      y = append<T>(4, x, set, y);
      y = append<T>(5, x, set, y);
      y = append<T>(6, x, set, y);
      y = append<T>(7, x, set, y);
    } else for (let i = 0; i < n; ++i) y = append<T>(i, x, set, y);
    mask_values += 32;
    x += 8 * sizeof<T>();
  }
  return <i32>((y - start) / sizeof<T>());
}

/**
 * Packs those of the `n` elements at `x`, of `size` 1, 2 or 4 bytes each, whose float at `mask_values` is neither +0 nor -0: they are
 * appended to `y`, and bit `i & 7` of byte `i >> 3` of `bits`, u8[ceil(n / 8)], is set for element i; the bits behind the last are not.
 * Returns how many were appended. NaN is not zero. `y` has room for `n`; the element behind the last appended may be anything.
 */
export function compact(n: i32, size: i32, x: usize, mask_values: usize, y: usize, bits: usize): i32 {
  if (size == 1) return pack<u8>(n, x, mask_values, y, bits);
  if (size == 2) return pack<u16>(n, x, mask_values, y, bits);
  return pack<u32>(n, x, mask_values, y, bits);
}
