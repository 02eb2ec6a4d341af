import { multiply } from "./gemm";
import { set_windows } from "./window";

/** A convolution of an image [h, wd, c] to [oh, ow, n]: the product of its windows and the weights; see src/kernels/infer/float.ts. */
export function f32_conv(
  x: usize,
  w: usize,
  sparse: i32,
  y: usize,
  bias: usize,
  z: usize,
  h: i32,
  wd: i32,
  c: i32,
  oh: i32,
  ow: i32,
  n: i32,
  kh: i32,
  kw: i32,
  sh: i32,
  sw: i32,
  dh: i32,
  dw: i32,
  pt: i32,
  pl: i32,
  ldx: i32,
  ldy: i32,
  ldz: i32,
  z_first: i32,
  kind: i32,
  alpha: f32,
  beta: f32,
  work: usize,
): void {
  const pixels = oh * ow;
  const pointwise = kh == 1 && kw == 1 && sh == 1 && sw == 1 && pt == 0 && pl == 0 && oh == h && ow == wd;
  if (!pointwise) set_windows(x, ldx, h, wd, c, ow, kh, kw, sh, sw, dh, dw, pt, pl);
  multiply(pixels, n, kh * kw * c, pointwise ? x : 0, ldx, w, sparse, y, ldy, bias, z, ldz, z_first, kind, alpha, beta, work);
}
