import { zip8_high, zip8_low } from "../lanes";
import { PAGE, X_HAT, measure } from "./error";

/** The 32 values of one block of int4. */
// @ts-ignore: decorator
@inline
function dequantize4(q: usize, scale: f32, y: usize): void {
  const s = f32x4.splat(scale);
  const mask = i8x16.splat(15);
  const eight = i8x16.splat(8);
  const v = v128.load(q);
  const even = i8x16.sub(v128.and(v, mask), eight);
  const odd = i8x16.sub(v128.and(i16x8.shr_u(v, 4), mask), eight);
  const a = zip8_low(even, odd);
  const b = zip8_high(even, odd);
  spread(i16x8.extend_low_i8x16_s(a), s, y);
  spread(i16x8.extend_high_i8x16_s(a), s, y + 32);
  spread(i16x8.extend_low_i8x16_s(b), s, y + 64);
  spread(i16x8.extend_high_i8x16_s(b), s, y + 96);
}

// @ts-ignore: decorator
@inline
function spread(v: v128, s: v128, y: usize): void {
  v128.store(y, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(v)), s));
  v128.store(y, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(v)), s), 16);
}

/** `rows` of `k` floats against the int4 `q` and the `scale` of `f32_qb4w_rows`. */
export function qb4w_error_rows(rows: i32, k: i32, x: usize, q: usize, scale: usize, acc: usize): void {
  if ((k & 31) == 0) {
    k *= rows;
    rows = min(rows, 1);
  }
  for (; rows > 0; --rows) {
    for (let left = k; left > 0; left -= PAGE) {
      const n = min(left, PAGE);
      for (let i = 0; i < n; i += 32) {
        dequantize4(q, load<f32>(scale), X_HAT + ((<usize>i) << 2));
        q += 16;
        scale += 4;
      }
      measure(1, n, x, 0, X_HAT, acc);
      x += (<usize>n) << 2;
    }
  }
}

/** One panel of a matrix against what `f32_qb4w_transpose` wrote for it; the same arguments. */
export function qb4w_error_transpose(k: i32, n: i32, ld: i32, x: usize, q: usize, scale: usize, block: i32, blocks: i32, acc: usize): void {
  const q_step = (<usize>blocks) << 4;
  const scale_step = (<usize>blocks) << 2;
  q += (<usize>block) << 4;
  scale += (<usize>block) << 2;
  for (let j = 0; j < n; j += 16) {
    const width = min(n - j, 16);
    let i: usize = 0;
    // A lane holds eight nibbles of one column: eight rows.
    for (; i + 4 <= <usize>width; i += 4) {
      let s = v128.load32_zero(scale + i * scale_step);
      s = v128.load32_lane(scale + (i + 1) * scale_step, s, 1);
      s = v128.load32_lane(scale + (i + 2) * scale_step, s, 2);
      s = v128.load32_lane(scale + (i + 3) * scale_step, s, 3);
      for (let r = 0; r < k; r += 8) {
        const p = q + ((<usize>r) >> 1) + i * q_step;
        let v = v128.load32_zero(p);
        v = v128.load32_lane(p + q_step, v, 1);
        v = v128.load32_lane(p + 2 * q_step, v, 2);
        v = v128.load32_lane(p + 3 * q_step, v, 3);
        // Rows after the last land in scratch that is never read.
        for (let t = 0; t < 8; ++t) {
          const u = i32x4.sub(v128.and(v, i32x4.splat(15)), i32x4.splat(8));
          v128.store(X_HAT + ((<usize>(r + t) * <usize>width + i) << 2), f32x4.mul(f32x4.convert_i32x4_s(u), s));
          v = i32x4.shr_u(v, 4);
        }
      }
    }
    for (; i < <usize>width; ++i) {
      const s = load<f32>(scale + i * scale_step);
      for (let r: usize = 0; r < <usize>k; ++r) {
        const u = ((<i32>load<u8>(q + i * q_step + (r >> 1))) >> (((<i32>r) & 1) << 2)) & 15;
        store<f32>(X_HAT + ((r * <usize>width + i) << 2), <f32>(u - 8) * s);
      }
    }
    measure(k, width, x, (<usize>ld) << 2, X_HAT, acc);
    x += (<usize>width) << 2;
    q += <usize>width * q_step;
    scale += <usize>width * scale_step;
  }
}
