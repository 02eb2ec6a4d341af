import { load_part, promote_high } from "./lanes";
import { log_sum_exp } from "./log_sum_exp";

// Reductions. Floats are gathered in float32 over a block, which is short, and the blocks in float64.

/** Values that each lane gathers before it is taken into the total. */
const BLOCK = 64;

@unmanaged
class Plain {
  @inline
  of(v: v128): v128 {
    return v;
  }
}

@unmanaged
class Abs {
  @inline
  of(v: v128): v128 {
    return f32x4.abs(v);
  }
}

@unmanaged
class Square {
  @inline
  of(v: v128): v128 {
    return f32x4.mul(v, v);
  }
}

@unmanaged
class Sum {
  @inline
  start(): f32 {
    return 0;
  }
  @inline
  of(a: v128, b: v128): v128 {
    return f32x4.add(a, b);
  }
  @inline
  total(a: v128, b: v128): v128 {
    return f64x2.add(a, b);
  }
}

@unmanaged
class Max {
  @inline
  start(): f32 {
    return -Infinity;
  }
  @inline
  of(a: v128, b: v128): v128 {
    return f32x4.max(a, b);
  }
  @inline
  total(a: v128, b: v128): v128 {
    return f64x2.max(a, b);
  }
}

@unmanaged
class Min {
  @inline
  start(): f32 {
    return Infinity;
  }
  @inline
  of(a: v128, b: v128): v128 {
    return f32x4.min(a, b);
  }
  @inline
  total(a: v128, b: v128): v128 {
    return f64x2.min(a, b);
  }
}

@unmanaged
class Prod {
  @inline
  start(): f32 {
    return 1;
  }
  @inline
  of(a: v128, b: v128): v128 {
    return f32x4.mul(a, b);
  }
  @inline
  total(a: v128, b: v128): v128 {
    return f64x2.mul(a, b);
  }
}

/** What is left of f32[n]. */
function row<Map, Join>(n: i32, x: usize): f64 {
  const map = changetype<Map>(0);
  const join = changetype<Join>(0);
  const start = f32x4.splat(join.start());
  let total = f64x2.splat(join.start());
  while (n >= 16) {
    let a = start;
    let b = start;
    let c = start;
    let d = start;
    const count = min(n >> 4, BLOCK);
    n -= count << 4;
    for (let i = 0; i < count; i++) {
      a = join.of(a, map.of(v128.load(x)));
      b = join.of(b, map.of(v128.load(x, 16)));
      c = join.of(c, map.of(v128.load(x, 32)));
      d = join.of(d, map.of(v128.load(x, 48)));
      x += 64;
    }
    a = join.of(join.of(a, b), join.of(c, d));
    total = join.total(total, join.total(f64x2.promote_low_f32x4(a), promote_high(a)));
  }
  let a = start;
  for (; n >= 4; n -= 4) {
    a = join.of(a, map.of(v128.load(x)));
    x += 16;
  }
  if (n > 0) a = join.of(a, map.of(load_part(x, n, start)));
  total = join.total(total, join.total(f64x2.promote_low_f32x4(a), promote_high(a)));
  return f64x2.extract_lane(join.total(total, v128.shuffle<i64>(total, total, 1, 0)), 0);
}

/** Totals of the columns in work. */
const TOTALS = memory.data(128, 16);

// @ts-ignore: decorator
@inline
function add_total<Join>(at: usize, v: v128): void {
  const join = changetype<Join>(0);
  v128.store(at, join.total(v128.load(at), f64x2.promote_low_f32x4(v)));
  v128.store(at, join.total(v128.load(at, 16), promote_high(v)), 16);
}

/** What is left of sixteen columns of `n` rows that lie `ld` bytes apart, in TOTALS. */
function columns16<Map, Join>(n: i32, x: usize, ld: usize): void {
  const map = changetype<Map>(0);
  const join = changetype<Join>(0);
  const start = f32x4.splat(join.start());
  while (n > 0) {
    let a = start;
    let b = start;
    let c = start;
    let d = start;
    const count = min(n, BLOCK);
    n -= count;
    for (let i = 0; i < count; i++) {
      a = join.of(a, map.of(v128.load(x)));
      b = join.of(b, map.of(v128.load(x, 16)));
      c = join.of(c, map.of(v128.load(x, 32)));
      d = join.of(d, map.of(v128.load(x, 48)));
      x += ld;
    }
    add_total<Join>(TOTALS, a);
    add_total<Join>(TOTALS + 32, b);
    add_total<Join>(TOTALS + 64, c);
    add_total<Join>(TOTALS + 96, d);
  }
}

/** The same of `width` in 1..4 columns. */
function columns4<Map, Join>(n: i32, x: usize, ld: usize, width: i32): void {
  const map = changetype<Map>(0);
  const join = changetype<Join>(0);
  const start = f32x4.splat(join.start());
  while (n > 0) {
    let a = start;
    const count = min(n, BLOCK);
    n -= count;
    for (let i = 0; i < count; i++) {
      a = join.of(a, map.of(width == 4 ? v128.load(x) : load_part(x, width, start)));
      x += ld;
    }
    add_total<Join>(TOTALS, a);
  }
}

const MEAN = 1;
const L2 = 6;
const LOG_SUM = 8;

// @ts-ignore: decorator
@inline
function finish(kind: i32, total: f64, n: i32): f32 {
  if (kind == MEAN) return <f32>(total / <f64>n);
  if (kind == L2) return <f32>sqrt(total);
  if (kind == LOG_SUM) return <f32>Math.log(total);
  return <f32>total;
}

function reduce<Map, Join>(kind: i32, outer: i32, n: i32, inner: i32, x: usize, y: usize): void {
  const ld = (<usize>inner) << 2;
  for (; outer > 0; outer--) {
    if (inner == 1) {
      store<f32>(y, finish(kind, row<Map, Join>(n, x), n));
      y += 4;
    } else {
      let width = 0;
      for (let j = 0; j < inner; j += width) {
        width = inner - j >= 16 ? 16 : min(inner - j, 4);
        const start = f64x2.splat(changetype<Join>(0).start());
        for (let i: usize = 0; i < 128; i += 16) v128.store(TOTALS + i, start);
        const at = x + ((<usize>j) << 2);
        if (width == 16) columns16<Map, Join>(n, at, ld);
        else columns4<Map, Join>(n, at, ld, width);
        for (let i = 0; i < width; i++) {
          store<f32>(y, finish(kind, load<f64>(TOTALS + ((<usize>i) << 3)), n));
          y += 4;
        }
      }
    }
    x += <usize>n * ld;
  }
}

/** One of ten reductions of f32[outer, n, inner] to f32[outer, inner]. */
export function f32_reduce(op: i32, outer: i32, n: i32, inner: i32, x: usize, y: usize): void {
  switch (op) {
    case 0:
    case 1:
    case 8:
      return reduce<Plain, Sum>(op, outer, n, inner, x, y);
    case 2:
      return reduce<Plain, Max>(op, outer, n, inner, x, y);
    case 3:
      return reduce<Plain, Min>(op, outer, n, inner, x, y);
    case 4:
      return reduce<Plain, Prod>(op, outer, n, inner, x, y);
    case 5:
      return reduce<Abs, Sum>(op, outer, n, inner, x, y);
    case 6:
    case 7:
      return reduce<Square, Sum>(op, outer, n, inner, x, y);
  }
  const ld = (<usize>inner) << 2;
  for (; outer > 0; outer--) {
    for (let j = 0; j < inner; j++) {
      store<f32>(y, log_sum_exp(n, x + ((<usize>j) << 2), ld));
      y += 4;
    }
    x += <usize>n * ld;
  }
}

/** `Σ x` of f32[n]. */
export function sum(n: i32, x: usize): f64 {
  return row<Plain, Sum>(n, x);
}

/** `Σ x^2` of f32[n]. */
export function sum_square(n: i32, x: usize): f64 {
  return row<Square, Sum>(n, x);
}
