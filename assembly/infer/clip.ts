/** `min(max(x, low), high)` of f32[n]; NaN stays. `y` may be `x`. */
export function f32_clip(n: i32, x: usize, y: usize, low: f32, high: f32): void {
  const lo = f32x4.splat(low);
  const hi = f32x4.splat(high);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    v128.store(y, f32x4.min(f32x4.max(v128.load(x), lo), hi));
    x += 16;
    y += 16;
  }
  for (; i < n; i++) {
    store<f32>(y, min<f32>(max<f32>(load<f32>(x), low), high));
    x += 4;
    y += 4;
  }
}
