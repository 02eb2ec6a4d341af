// Between number types. Floats are cut towards 0; what an integer type cannot hold is the nearest value that it can, NaN is 0.

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
  each<f32, i64>(n, x, y);
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
    v128.store(y, i32x4.trunc_sat_f32x4_s(v128.load(x)));
    x += 16;
    y += 16;
  }
  each<f32, i32>(n, x, y);
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

export function f32_u8(n: i32, x: usize, y: usize): void {
  for (; n > 0; n--) {
    store<u8>(y, <u8>min(max(<i32>load<f32>(x), 0), 255));
    x += 4;
    y += 1;
  }
}

export function f32_i8(n: i32, x: usize, y: usize): void {
  for (; n > 0; n--) {
    store<i8>(y, <i8>min(max(<i32>load<f32>(x), -128), 127));
    x += 4;
    y += 1;
  }
}
