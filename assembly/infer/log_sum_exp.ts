import { promote_high } from "./lanes";
import { exp_negative } from "./math";

/** `log Σ e^x` of f32[n] whose elements lie `ld` bytes apart. */
export function log_sum_exp(n: i32, x: usize, ld: usize): f32 {
  let most = f32x4.splat(-Infinity);
  let p = x;
  for (let i = 0; i < n; i++) {
    most = f32x4.max(most, v128.load32_splat(p));
    p += ld;
  }
  const greatest = f32x4.extract_lane(most, 0);
  const shift = abs(greatest) == Infinity ? f32x4.splat(0) : most;
  if (greatest == Infinity) return Infinity;
  let total: f64 = 0;
  for (let i = 0; i < n; i += 4) {
    let v = f32x4.splat(-Infinity);
    v = v128.load32_lane(x, v, 0);
    if (i + 1 < n) v = v128.load32_lane(x + ld, v, 1);
    if (i + 2 < n) v = v128.load32_lane(x + 2 * ld, v, 2);
    if (i + 3 < n) v = v128.load32_lane(x + 3 * ld, v, 3);
    x += 4 * ld;
    const e = exp_negative(f32x4.sub(v, shift));
    // -Infinity is exactly 0 there.
    const s = f64x2.add(f64x2.promote_low_f32x4(e), promote_high(e));
    total += f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
  }
  return <f32>(f32x4.extract_lane(shift, 0) + Math.log(total));
}
