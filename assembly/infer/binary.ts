import { load_part, REPEATED, repeated, store_part } from "./lanes";

// Operators of several operands whose axes are merged to four at most. A stride is 0 where an operand repeats, and the last is 0 or 1.

@unmanaged
class Add {
  @inline
  of(a: v128, b: v128): v128 {
    return f32x4.add(a, b);
  }
}

@unmanaged
class Sub {
  @inline
  of(a: v128, b: v128): v128 {
    return f32x4.sub(a, b);
  }
}

@unmanaged
class Mul {
  @inline
  of(a: v128, b: v128): v128 {
    return f32x4.mul(a, b);
  }
}

@unmanaged
class Div {
  @inline
  of(a: v128, b: v128): v128 {
    return f32x4.div(a, b);
  }
}

@unmanaged
class Min {
  @inline
  of(a: v128, b: v128): v128 {
    return f32x4.min(a, b);
  }
}

@unmanaged
class Max {
  @inline
  of(a: v128, b: v128): v128 {
    return f32x4.max(a, b);
  }
}

@unmanaged
class PRelu {
  @inline
  of(a: v128, b: v128): v128 {
    return v128.bitselect(f32x4.mul(a, b), a, f32x4.lt(a, f32x4.splat(0)));
  }
}

/** A row of two operands; steps are 0 or 1. */
function row<Op>(n: i32, a: usize, b: usize, y: usize, a_step: i32, b_step: i32): void {
  const op = changetype<Op>(0);
  a = repeated(a, a_step, REPEATED);
  b = repeated(b, b_step, REPEATED + 16);
  const a_bytes = a_step << 4;
  const b_bytes = b_step << 4;
  for (; n >= 4; n -= 4) {
    v128.store(y, op.of(v128.load(a), v128.load(b)));
    a += a_bytes;
    b += b_bytes;
    y += 16;
  }
  if (n > 0) {
    const zero = f32x4.splat(0);
    store_part(y, op.of(load_part(a, n, zero), load_part(b, n, zero)), n);
  }
}

/** Unlike in JavaScript, a power of 1 is 1 whatever the exponent. */
function pow(v: f32, power: f32): f32 {
  if (v == 1 || (v == -1 && abs(power) == Infinity)) return 1;
  return Mathf.pow(v, power);
}

/** Squares and cubes, which models are full of, are products; every other power is taken alone. */
function pow_row(n: i32, a: usize, b: usize, y: usize, a_step: i32, b_step: i32): void {
  const power = load<f32>(b);
  if (b_step == 0 && power == 2) return row<Mul>(n, a, a, y, a_step, a_step);
  for (; n > 0; n--) {
    const v = load<f32>(a);
    store<f32>(y, b_step == 0 && power == 3 ? v * v * v : pow(v, load<f32>(b)));
    a += a_step << 2;
    b += b_step << 2;
    y += 4;
  }
}

function binary_row(op: i32, n: i32, a: usize, b: usize, y: usize, a_step: i32, b_step: i32): void {
  switch (op) {
    case 0:
      return row<Add>(n, a, b, y, a_step, b_step);
    case 1:
      return row<Sub>(n, a, b, y, a_step, b_step);
    case 2:
      return row<Mul>(n, a, b, y, a_step, b_step);
    case 3:
      return row<Div>(n, a, b, y, a_step, b_step);
    case 4:
      return row<Min>(n, a, b, y, a_step, b_step);
    case 5:
      return row<Max>(n, a, b, y, a_step, b_step);
    case 6:
      return pow_row(n, a, b, y, a_step, b_step);
    case 7:
      return row<PRelu>(n, a, b, y, a_step, b_step);
  }
}

/** Floats in a tile. */
const TILE_SIZE = 256;
const TILE = memory.data(1024, 16);

/** Rows of `a` that are short and stand together, with one of `b`: of `b` repeated, so that several are a long one. */
function short_rows(op: i32, count: i32, n: i32, a: usize, b: usize, y: usize): void {
  const rows = min(TILE_SIZE / n, count);
  for (let i: usize = 0; i < <usize>(rows * n); i++) store<f32>(TILE + (i << 2), load<f32>(b + ((i % n) << 2)));
  for (; count > 0; count -= rows) {
    const together = min(rows, count) * n;
    binary_row(op, together, a, TILE, y, 1, 1);
    a += (<usize>together) << 2;
    y += (<usize>together) << 2;
  }
}

/** One of eight operators on f32[n0, n1, n2, n3]. */
export function f32_binary(
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
  const is_short = n3 > 0 && n3 < 32 && n2 > 1 && a2 == n3 && a3 == 1 && b2 == 0 && b3 == 1;
  for (let i = 0; i < n0; i++) {
    for (let j = 0; j < n1; j++) {
      let p = a + ((<usize>i * a0 + <usize>j * a1) << 2);
      let q = b + ((<usize>i * b0 + <usize>j * b1) << 2);
      if (is_short) {
        short_rows(op, n2, n3, p, q, y);
        y += (<usize>(n2 * n3)) << 2;
        continue;
      }
      for (let k = 0; k < n2; k++) {
        binary_row(op, n3, p, q, y, a3, b3);
        p += a2 << 2;
        q += b2 << 2;
        y += (<usize>n3) << 2;
      }
    }
  }
}
