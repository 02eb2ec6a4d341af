import { madd } from "../lanes";
import { load_part, store_part } from "./lanes";
import { erf, exp, exp_negative, expm1_negative, log1p, sigmoid, tanh } from "./math";

// A class an activation: `of` computes four values from `v` and the splats of alpha and beta.

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

@unmanaged
class Sigmoid {
  @inline
  of(v: v128, alpha: v128, beta: v128): v128 {
    return sigmoid(v);
  }
}

@unmanaged
class Silu {
  @inline
  of(v: v128, alpha: v128, beta: v128): v128 {
    return f32x4.mul(v, sigmoid(v));
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
class Gelu {
  @inline
  of(v: v128, alpha: v128, beta: v128): v128 {
    const half = f32x4.mul(v, f32x4.splat(0.5));
    return madd(half, erf(f32x4.mul(v, f32x4.splat(Mathf.SQRT1_2))), half);
  }
}

/** `x / 2 (1 + tanh u)` is `x sigmoid(2u)`, which keeps its digits where it is small. */
@unmanaged
class GeluTanh {
  @inline
  of(v: v128, alpha: v128, beta: v128): v128 {
    const cube = madd(f32x4.mul(v, v), f32x4.splat(0.07135481282), f32x4.splat(1.59576912161));
    return f32x4.mul(v, sigmoid(f32x4.mul(v, cube)));
  }
}

@unmanaged
class Tanh {
  @inline
  of(v: v128, alpha: v128, beta: v128): v128 {
    return tanh(v);
  }
}

@unmanaged
class Elu {
  @inline
  of(v: v128, alpha: v128, beta: v128): v128 {
    return v128.bitselect(f32x4.mul(alpha, expm1_negative(v)), v, f32x4.lt(v, f32x4.splat(0)));
  }
}

@unmanaged
class Softplus {
  @inline
  of(v: v128, alpha: v128, beta: v128): v128 {
    return f32x4.add(f32x4.max(v, f32x4.splat(0)), log1p(exp_negative(f32x4.neg(f32x4.abs(v)))));
  }
}

/** `tanh(log(1 + w))` is `n / (n + 2)` with n = w (w + 2); from 20 on it is 1. */
@unmanaged
class Mish {
  @inline
  of(v: v128, alpha: v128, beta: v128): v128 {
    const two = f32x4.splat(2);
    const w = exp(f32x4.min(v, f32x4.splat(20)));
    const n = f32x4.mul(w, f32x4.add(w, two));
    return f32x4.mul(v, f32x4.div(n, f32x4.add(n, two)));
  }
}

@unmanaged
class Exp {
  @inline
  of(v: v128, alpha: v128, beta: v128): v128 {
    return exp(v);
  }
}

@unmanaged
class Erf {
  @inline
  of(v: v128, alpha: v128, beta: v128): v128 {
    return erf(v);
  }
}

@unmanaged
class QuickGelu {
  @inline
  of(v: v128, alpha: v128, beta: v128): v128 {
    return f32x4.mul(v, sigmoid(f32x4.mul(v, alpha)));
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
      return each<Relu>(n, x, y, alpha, beta);
    case 2:
      return each<Clip>(n, x, y, alpha, beta);
    case 3:
      return each<Sigmoid>(n, x, y, alpha, beta);
    case 4:
      return each<Silu>(n, x, y, alpha, beta);
    case 5:
      return each<HardSigmoid>(n, x, y, alpha, beta);
    case 6:
      return each<HardSwish>(n, x, y, alpha, beta);
    case 7:
      return each<LeakyRelu>(n, x, y, alpha, beta);
    case 8:
      return each<Gelu>(n, x, y, alpha, beta);
    case 9:
      return each<GeluTanh>(n, x, y, alpha, beta);
    case 10:
      return each<Tanh>(n, x, y, alpha, beta);
    case 11:
      return each<Elu>(n, x, y, alpha, beta);
    case 12:
      return each<Softplus>(n, x, y, alpha, beta);
    case 13:
      return each<Mish>(n, x, y, alpha, beta);
    case 14:
      return each<Exp>(n, x, y, alpha, beta);
    case 15:
      return each<Erf>(n, x, y, alpha, beta);
    case 16:
      return each<QuickGelu>(n, x, y, alpha, beta);
  }
}
