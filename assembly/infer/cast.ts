// Between number types. Floats are cut towards 0; what an integer type cannot hold, NaN too, is its least value, as on x86.

function each<From, To>(n: i32, x: usize, y: usize): void {
  for (; n > 0; n--) {
    store<To>(y, <To>load<From>(x));
    x += sizeof<From>();
    y += sizeof<To>();
  }
}

export function i64_f32(n: i32, x: usize, y: usize): void {
  each<i64, f32>(n, x, y);
}

export function f32_i64(n: i32, x: usize, y: usize): void {
  for (; n > 0; n--) {
    const v = load<f32>(x);
    store<i64>(y, select(<i64>v, i64.MIN_VALUE, abs(v) < 9223372036854775808.0));
    x += 4;
    y += 8;
  }
}

export function i64_i32(n: i32, x: usize, y: usize): void {
  each<i64, i32>(n, x, y);
}

export function i32_i64(n: i32, x: usize, y: usize): void {
  each<i32, i64>(n, x, y);
}

export function i32_f32(n: i32, x: usize, y: usize): void {
  for (; n >= 4; n -= 4) {
    v128.store(y, f32x4.convert_i32x4_s(v128.load(x)));
    x += 16;
    y += 16;
  }
  each<i32, f32>(n, x, y);
}

export function f32_i32(n: i32, x: usize, y: usize): void {
  for (; n >= 4; n -= 4) {
    const v = v128.load(x);
    const isInside = f32x4.lt(f32x4.abs(v), f32x4.splat(2147483648.0));
    v128.store(y, v128.bitselect(i32x4.trunc_sat_f32x4_s(v), i32x4.splat(i32.MIN_VALUE), isInside));
    x += 16;
    y += 16;
  }
  for (; n > 0; n--) {
    const v = load<f32>(x);
    store<i32>(y, select(<i32>v, i32.MIN_VALUE, abs(v) < 2147483648.0));
    x += 4;
    y += 4;
  }
}

export function u8_f32(n: i32, x: usize, y: usize): void {
  for (; n >= 8; n -= 8) {
    const v = v128.load8x8_u(x);
    v128.store(y, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(v)));
    v128.store(y, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_u(v)), 16);
    x += 8;
    y += 32;
  }
  each<u8, f32>(n, x, y);
}

export function i8_f32(n: i32, x: usize, y: usize): void {
  for (; n >= 8; n -= 8) {
    const v = v128.load8x8_s(x);
    v128.store(y, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(v)));
    v128.store(y, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(v)), 16);
    x += 8;
    y += 32;
  }
  each<i8, f32>(n, x, y);
}

/** `x != 0` as a byte; true for NaN. */
export function f32_bool(n: i32, x: usize, y: usize): void {
  for (; n > 0; n--) {
    store<u8>(y, <u8>(load<f32>(x) != 0));
    x += 4;
    y += 1;
  }
}
