import { activate } from "./activation";
import { add } from "./finish";

/**
 * Adds columns [h * wd][kh * kw * n] to the places of an image [oh, ow, n] that they stand for, on top of its bias: what makes a transposed
 * convolution out of a product.
 */
export function f32_col2im(
  x: usize,
  y: usize,
  bias: usize,
  h: i32,
  wd: i32,
  n: i32,
  oh: i32,
  ow: i32,
  kh: i32,
  kw: i32,
  sh: i32,
  sw: i32,
  dh: i32,
  dw: i32,
  pt: i32,
  pl: i32,
  kind: i32,
  alpha: f32,
  beta: f32,
): void {
  const pixel = (<usize>n) << 2;
  const size = <usize>(oh * ow) * pixel;
  if (bias == 0) memory.fill(y, 0, size);
  else for (let p = y; p < y + size; p += pixel) set(n, bias, p);
  const columns = <usize>(kh * kw) * pixel;
  for (let iy = 0; iy < h; iy++) {
    for (let ky = 0; ky < kh; ky++) {
      const oy = iy * sh - pt + ky * dh;
      if (<u32>oy >= <u32>oh) continue;
      const row = y + <usize>(oy * ow) * pixel;
      let from = x + <usize>(iy * wd) * columns + <usize>(ky * kw) * pixel;
      for (let ix = 0; ix < wd; ix++) {
        const left = ix * sw - pl;
        // Neighbouring taps that are all in the image are one run.
        if (dw == 1 && left >= 0 && left + kw <= ow) add(kw * n, from, row + <usize>left * pixel);
        else {
          for (let kx = 0; kx < kw; kx++) {
            const ox = left + kx * dw;
            if (<u32>ox < <u32>ow) add(n, from + <usize>kx * pixel, row + <usize>ox * pixel);
          }
        }
        from += columns;
      }
    }
  }
  if (kind != 0) activate(oh * ow * n, y, y, kind, alpha, beta);
}

/** y = x, for rows that are too short to call for a copy. */
// @ts-ignore: decorator
@inline
function set(n: i32, x: usize, y: usize): void {
  for (; n >= 4; n -= 4) {
    v128.store(y, v128.load(x));
    x += 16;
    y += 16;
  }
  for (; n > 0; n--) {
    store<f32>(y, load<f32>(x));
    x += 4;
    y += 4;
  }
}
