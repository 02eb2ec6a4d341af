import { load_part, store_part } from "./lanes";
import { log } from "./math";

// A class a function. What has neither an instruction nor a short polynomial is computed one by one.

@unmanaged
class Abs {
  @inline
  of(v: v128): v128 {
    return f32x4.abs(v);
  }
}

@unmanaged
class Neg {
  @inline
  of(v: v128): v128 {
    return f32x4.neg(v);
  }
}

@unmanaged
class Sqrt {
  @inline
  of(v: v128): v128 {
    return f32x4.sqrt(v);
  }
}

@unmanaged
class Reciprocal {
  @inline
  of(v: v128): v128 {
    return f32x4.div(f32x4.splat(1), v);
  }
}

@unmanaged
class Floor {
  @inline
  of(v: v128): v128 {
    return f32x4.floor(v);
  }
}

@unmanaged
class Ceil {
  @inline
  of(v: v128): v128 {
    return f32x4.ceil(v);
  }
}

@unmanaged
class Round {
  @inline
  of(v: v128): v128 {
    return f32x4.nearest(v);
  }
}

@unmanaged
class Sign {
  @inline
  of(v: v128): v128 {
    const zero = f32x4.splat(0);
    const one = f32x4.splat(1);
    const sign = f32x4.sub(v128.and(f32x4.gt(v, zero), one), v128.and(f32x4.lt(v, zero), one));
    return v128.bitselect(sign, v, f32x4.eq(v, v));
  }
}

@unmanaged
class Log {
  @inline
  of(v: v128): v128 {
    return log(v);
  }
}

function each<Op>(n: i32, x: usize, y: usize): void {
  const op = changetype<Op>(0);
  for (; n >= 4; n -= 4) {
    v128.store(y, op.of(v128.load(x)));
    x += 16;
    y += 16;
  }
  if (n > 0) store_part(y, op.of(load_part(x, n, f32x4.splat(0))), n);
}

function one(x: f32, op: i32): f32 {
  switch (op) {
    case 9:
      return Mathf.sin(x);
    case 10:
      return Mathf.cos(x);
    case 11:
      return Mathf.tan(x);
    case 12:
      return Mathf.asin(x);
    case 13:
      return Mathf.acos(x);
    case 14:
      return Mathf.atan(x);
    case 15:
      return Mathf.sinh(x);
    case 16:
      return Mathf.cosh(x);
    case 17:
      return Mathf.asinh(x);
    case 18:
      return Mathf.acosh(x);
    default:
      return Mathf.atanh(x);
  }
}

/** One of twenty functions of f32[n]; `y` may be `x`. */
export function f32_unary(n: i32, x: usize, y: usize, op: i32): void {
  switch (op) {
    case 0:
      return each<Abs>(n, x, y);
    case 1:
      return each<Neg>(n, x, y);
    case 2:
      return each<Sqrt>(n, x, y);
    case 3:
      return each<Reciprocal>(n, x, y);
    case 4:
      return each<Floor>(n, x, y);
    case 5:
      return each<Ceil>(n, x, y);
    case 6:
      return each<Round>(n, x, y);
    case 7:
      return each<Sign>(n, x, y);
    case 8:
      return each<Log>(n, x, y);
  }
  for (const end = x + ((<usize>n) << 2); x < end; x += 4) {
    store<f32>(y, one(load<f32>(x), op));
    y += 4;
  }
}
