import { REPEATED, repeated } from "./lanes";

@unmanaged
class Equal {
  @inline
  of(a: v128, b: v128): v128 {
    return f32x4.eq(a, b);
  }
}

@unmanaged
class Less {
  @inline
  of(a: v128, b: v128): v128 {
    return f32x4.lt(a, b);
  }
}

@unmanaged
class LessOrEqual {
  @inline
  of(a: v128, b: v128): v128 {
    return f32x4.le(a, b);
  }
}

/** Four truths as bytes of 0 and 1 in the low lane. */
// @ts-ignore: decorator
@inline
function truths(mask: v128): v128 {
  const halves = i16x8.narrow_i32x4_s(mask, mask);
  return v128.and(i8x16.narrow_i16x8_s(halves, halves), i8x16.splat(1));
}

function compare_row<Op>(n: i32, a: usize, b: usize, y: usize, a_step: i32, b_step: i32): void {
  const op = changetype<Op>(0);
  a = repeated(a, a_step, REPEATED);
  b = repeated(b, b_step, REPEATED + 16);
  for (; n >= 4; n -= 4) {
    v128.store32_lane(y, truths(op.of(v128.load(a), v128.load(b))), 0);
    a += a_step << 4;
    b += b_step << 4;
    y += 4;
  }
  for (; n > 0; n--) {
    store<u8>(y, <u8>i32x4.extract_lane(truths(op.of(v128.load32_zero(a), v128.load32_zero(b))), 0));
    a += a_step << 2;
    b += b_step << 2;
    y += 1;
  }
}

/** One of three comparisons of f32[n0, n1, n2, n3] as bytes. */
export function f32_compare(
  op: i32,
  a: usize,
  b: usize,
  y: usize,
  n0: i32,
  n1: i32,
  n2: i32,
  n3: i32,
  a0: i32,
  a1: i32,
  a2: i32,
  a3: i32,
  b0: i32,
  b1: i32,
  b2: i32,
  b3: i32,
): void {
  for (let i = 0; i < n0; i++) {
    for (let j = 0; j < n1; j++) {
      let p = a + ((<usize>i * a0 + <usize>j * a1) << 2);
      let q = b + ((<usize>i * b0 + <usize>j * b1) << 2);
      for (let k = 0; k < n2; k++) {
        if (op == 0) compare_row<Equal>(n3, p, q, y, a3, b3);
        else if (op == 1) compare_row<Less>(n3, p, q, y, a3, b3);
        else compare_row<LessOrEqual>(n3, p, q, y, a3, b3);
        p += a2 << 2;
        q += b2 << 2;
        y += n3;
      }
    }
  }
}

function where_row(n: i32, c: usize, a: usize, b: usize, y: usize, c_step: i32, a_step: i32, b_step: i32): void {
  if (c_step == 0) {
    store<u32>(REPEATED + 32, <u32>load<u8>(c) * 0x01010101);
    c = REPEATED + 32;
  }
  a = repeated(a, a_step, REPEATED);
  b = repeated(b, b_step, REPEATED + 16);
  const zero = i8x16.splat(0);
  for (; n >= 4; n -= 4) {
    const bytes = i8x16.eq(v128.load32_zero(c), zero);
    const no = i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(bytes));
    v128.store(y, v128.bitselect(v128.load(b), v128.load(a), no));
    c += c_step << 2;
    a += a_step << 4;
    b += b_step << 4;
    y += 16;
  }
  for (; n > 0; n--) {
    store<u32>(y, load<u8>(c) != 0 ? load<u32>(a) : load<u32>(b));
    c += c_step;
    a += a_step << 2;
    b += b_step << 2;
    y += 4;
  }
}

/** `c ? a : b` of four-byte elements. */
export function f32_where(
  c: usize,
  a: usize,
  b: usize,
  y: usize,
  n0: i32,
  n1: i32,
  n2: i32,
  n3: i32,
  c0: i32,
  c1: i32,
  c2: i32,
  c3: i32,
  a0: i32,
  a1: i32,
  a2: i32,
  a3: i32,
  b0: i32,
  b1: i32,
  b2: i32,
  b3: i32,
): void {
  for (let i = 0; i < n0; i++) {
    for (let j = 0; j < n1; j++) {
      let p = c + <usize>i * c0 + <usize>j * c1;
      let q = a + ((<usize>i * a0 + <usize>j * a1) << 2);
      let r = b + ((<usize>i * b0 + <usize>j * b1) << 2);
      for (let k = 0; k < n2; k++) {
        where_row(n3, p, q, r, y, c3, a3, b3);
        p += c2;
        q += a2 << 2;
        r += b2 << 2;
        y += (<usize>n3) << 2;
      }
    }
  }
}
