import { madd } from "../lanes";
import { exponential } from "./exponential";
import { load_part, store_part } from "./lanes";
import { erf_log, erf_of, exp, log1p, sigmoid_of, tanh_of } from "./math";

// A class an activation. Those with an `argument` go through an exponential.

@unmanaged
class Relu {
  @inline
  of(v: v128, alpha: v128, beta: v128): v128 {
    return f32x4.pmax(v, f32x4.splat(0));
  }
}

@unmanaged
class Clip {
  @inline
  of(v: v128, low: v128, high: v128): v128 {
    return f32x4.pmin(f32x4.pmax(v, low), high);
  }
}

/** Clips to 0..1. */
// @ts-ignore: decorator
@inline
function unit(v: v128): v128 {
  return f32x4.pmin(f32x4.pmax(v, f32x4.splat(0)), f32x4.splat(1));
}

@unmanaged
class HardSigmoid {
  @inline
  of(v: v128, alpha: v128, beta: v128): v128 {
    return unit(madd(v, alpha, beta));
  }
}

@unmanaged
class HardSwish {
  @inline
  of(v: v128, alpha: v128, beta: v128): v128 {
    return f32x4.mul(v, unit(madd(v, alpha, beta)));
  }
}

@unmanaged
class LeakyRelu {
  @inline
  of(v: v128, alpha: v128, beta: v128): v128 {
    return v128.bitselect(f32x4.mul(v, alpha), v, f32x4.lt(v, f32x4.splat(0)));
  }
}

@unmanaged
class Exp {
  @inline
  of(v: v128, alpha: v128, beta: v128): v128 {
    return exp(v);
  }
}

/** `-|v|` */
// @ts-ignore: decorator
@inline
function below(v: v128): v128 {
  return f32x4.neg(f32x4.abs(v));
}

/** `e^t - 1` */
// @ts-ignore: decorator
@inline
function expm1(p: v128, s: v128, one: v128): v128 {
  return madd(p, s, f32x4.sub(s, one));
}

@unmanaged
class Sigmoid {
  @inline
  argument(v: v128, alpha: v128, beta: v128): v128 {
    return below(v);
  }
  @inline
  of(v: v128, p: v128, s: v128, one: v128, alpha: v128, beta: v128): v128 {
    return sigmoid_of(v, madd(p, s, s), one);
  }
}

@unmanaged
class Silu {
  @inline
  argument(v: v128, alpha: v128, beta: v128): v128 {
    return below(v);
  }
  @inline
  of(v: v128, p: v128, s: v128, one: v128, alpha: v128, beta: v128): v128 {
    return f32x4.mul(v, sigmoid_of(v, madd(p, s, s), one));
  }
}

@unmanaged
class QuickGelu {
  @inline
  argument(v: v128, alpha: v128, beta: v128): v128 {
    return below(f32x4.mul(v, alpha));
  }
  @inline
  of(v: v128, p: v128, s: v128, one: v128, alpha: v128, beta: v128): v128 {
    return f32x4.mul(v, sigmoid_of(f32x4.mul(v, alpha), madd(p, s, s), one));
  }
}

/** `x / 2 (1 + tanh u)` is `x sigmoid(2u)`, which keeps its digits where it is small; 2u = x (alpha x^2 + beta) has the sign of x. */
@unmanaged
class GeluTanh {
  @inline
  argument(v: v128, alpha: v128, beta: v128): v128 {
    return below(f32x4.mul(v, madd(f32x4.mul(v, v), alpha, beta)));
  }
  @inline
  of(v: v128, p: v128, s: v128, one: v128, alpha: v128, beta: v128): v128 {
    return f32x4.mul(v, sigmoid_of(v, madd(p, s, s), one));
  }
}

@unmanaged
class Tanh {
  @inline
  argument(v: v128, alpha: v128, beta: v128): v128 {
    return below(f32x4.add(v, v));
  }
  @inline
  of(v: v128, p: v128, s: v128, one: v128, alpha: v128, beta: v128): v128 {
    return tanh_of(v, expm1(p, s, one), one);
  }
}

@unmanaged
class Elu {
  @inline
  argument(v: v128, alpha: v128, beta: v128): v128 {
    return f32x4.pmin(v, f32x4.splat(0));
  }
  @inline
  of(v: v128, p: v128, s: v128, one: v128, alpha: v128, beta: v128): v128 {
    return v128.bitselect(f32x4.mul(alpha, expm1(p, s, one)), v, f32x4.lt(v, f32x4.splat(0)));
  }
}

@unmanaged
class Softplus {
  @inline
  argument(v: v128, alpha: v128, beta: v128): v128 {
    return below(v);
  }
  @inline
  of(v: v128, p: v128, s: v128, one: v128, alpha: v128, beta: v128): v128 {
    return f32x4.add(f32x4.pmax(v, f32x4.splat(0)), log1p(madd(p, s, s)));
  }
}

/** `tanh(log(1 + e^v))`: of e = e^-|v| it is (1 + 2e) / (1 + 2e + 2e^2) above 0, and (e^2 + 2e) / (e^2 + 2e + 2) below. */
@unmanaged
class Mish {
  @inline
  argument(v: v128, alpha: v128, beta: v128): v128 {
    return below(v);
  }
  @inline
  of(v: v128, p: v128, s: v128, one: v128, alpha: v128, beta: v128): v128 {
    const e = madd(p, s, s);
    const square = f32x4.mul(e, e);
    const negative = i32x4.shr_s(v, 31);
    const n = f32x4.add(f32x4.add(e, e), v128.bitselect(square, one, negative));
    const rest = v128.bitselect(one, square, negative);
    return f32x4.div(f32x4.mul(v, n), f32x4.add(n, f32x4.add(rest, rest)));
  }
}

@unmanaged
class Erf {
  @inline
  argument(v: v128, alpha: v128, beta: v128): v128 {
    return erf_log(v);
  }
  @inline
  of(v: v128, p: v128, s: v128, one: v128, alpha: v128, beta: v128): v128 {
    return erf_of(v, expm1(p, s, one));
  }
}

/** `alpha` is sqrt 1/2. */
@unmanaged
class Gelu {
  @inline
  argument(v: v128, alpha: v128, beta: v128): v128 {
    return erf_log(f32x4.mul(v, alpha));
  }
  @inline
  of(v: v128, p: v128, s: v128, one: v128, alpha: v128, beta: v128): v128 {
    const half = f32x4.mul(v, f32x4.splat(0.5));
    return madd(half, erf_of(f32x4.mul(v, alpha), expm1(p, s, one)), half);
  }
}

function each<Kind>(n: i32, x: usize, y: usize, alpha: f32, beta: f32): void {
  const kind = changetype<Kind>(0);
  const a = f32x4.splat(alpha);
  const b = f32x4.splat(beta);
  for (; n >= 4; n -= 4) {
    v128.store(y, kind.of(v128.load(x), a, b));
    x += 16;
    y += 16;
  }
  if (n > 0) store_part(y, kind.of(load_part(x, n, f32x4.splat(0)), a, b), n);
}

/** Applies the activation `kind` to f32[n]. `y` may be `x`. */
export function activate(n: i32, x: usize, y: usize, kind: i32, alpha: f32, beta: f32): void {
  switch (kind) {
    case 0:
      if (x != y) memory.copy(y, x, (<usize>n) << 2);
      return;
    case 1:
      return each<Relu>(n, x, y, 0, 0);
    case 2:
      return each<Clip>(n, x, y, alpha, beta);
    case 3:
      return exponential<Sigmoid>(n, x, y, 0, 0);
    case 4:
      return exponential<Silu>(n, x, y, 0, 0);
    case 5:
      return each<HardSigmoid>(n, x, y, alpha, beta);
    case 6:
      return each<HardSwish>(n, x, y, alpha, beta);
    case 7:
      return each<LeakyRelu>(n, x, y, alpha, beta);
    case 8:
      return exponential<Gelu>(n, x, y, Mathf.SQRT1_2, 0);
    case 9:
      return exponential<GeluTanh>(n, x, y, 0.07135481282, 1.59576912161);
    case 10:
      return exponential<Tanh>(n, x, y, 0, 0);
    case 11:
      return exponential<Elu>(n, x, y, alpha, 0);
    case 12:
      return exponential<Softplus>(n, x, y, 0, 0);
    case 13:
      return exponential<Mish>(n, x, y, 0, 0);
    case 14:
      return each<Exp>(n, x, y, 0, 0);
    case 15:
      return exponential<Erf>(n, x, y, 0, 0);
    case 16:
      return exponential<QuickGelu>(n, x, y, alpha, 0);
  }
}
