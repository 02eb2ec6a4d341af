import { bf16_of, f16_of } from "./half";

/** NaN as a float: the sign, the top bits of the payload, the quiet bit. */
function nan_of(x: f64): f32 {
  const bits = reinterpret<u64>(x);
  return reinterpret<f32>(((<u32>(bits >> 32)) & 0x80000000) | 0x7fc00000 | ((<u32>(bits >> 29)) & 0x3fffff));
}

/**
 * Rounded to odd: towards zero, with the last bit set where that is not exact. A second rounding to 22 bits or fewer then gives what one
 * rounding of `x` would have given. (Boldo and Melquiond, "When double rounding is odd", 2005.)
 */
function odd(x: f64): f32 {
  if (x != x) return nan_of(x);
  const f = <f32>x;
  const back = <f64>f;
  if (back == x) return f;
  const bits = reinterpret<u32>(f);
  return reinterpret<f32>((abs(back) > abs(x) ? bits - 1 : bits) | 1);
}

/** `n` doubles at `x` to floats at `y`: nearest even, overflow to an infinity. */
export function f64_f32(n: i32, x: usize, y: usize): void {
  for (let i: usize = 0; i < <usize>n; ++i) {
    const v = load<f64>(x + (i << 3));
    store<f32>(y + (i << 2), v == v ? <f32>v : nan_of(v));
  }
}

/** `n` doubles at `x` to IEEE half at `y`, rounded once. */
export function f64_f16(n: i32, x: usize, y: usize): void {
  for (let i: usize = 0; i < <usize>n; ++i) store<u16>(y + (i << 1), f16_of(odd(load<f64>(x + (i << 3)))));
}

/** `n` doubles at `x` to bfloat16 at `y`, rounded once. */
export function f64_bf16(n: i32, x: usize, y: usize): void {
  for (let i: usize = 0; i < <usize>n; ++i) store<u16>(y + (i << 1), bf16_of(odd(load<f64>(x + (i << 3)))));
}
