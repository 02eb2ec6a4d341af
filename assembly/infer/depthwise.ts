import { activate } from "./activation";
import { depthwise_row } from "./depthwise_row";
import { depthwise_slabs, slab_rows } from "./depthwise_slab";

/** A convolution of every channel by itself, with weights of f32_pack_depthwise; see src/kernels/infer/float.ts. */
export function f32_depthwise(
  x: usize,
  w: usize,
  y: usize,
  bias: usize,
  h: i32,
  wd: i32,
  c: i32,
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
  const row = (<usize>(ow * c)) << 2;
  const some = slab_rows(c, ow, kh, kw, sh, sw, dh, dw);
  for (let oy = 0; oy < oh;) {
    const count = min(max(some, 1), oh - oy);
    const top = oy * sh - pt;
    if (some > 0) depthwise_slabs(x, w, y, bias, h, wd, c, ow, kh, kw, sh, sw, dh, top, pl, count);
    else depthwise_row(x, w, y, bias, h, wd, c, ow, kh, kw, sw, dh, dw, top, pl);
    if (kind != 0) activate(count * ow * c, y, y, kind, alpha, beta);
    y += <usize>count * row;
    oy += count;
  }
}
