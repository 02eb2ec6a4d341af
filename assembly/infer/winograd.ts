import { finish } from "./finish";
import { loose4, loose6 } from "./tile_loose";
import { DEPTH, ZEROS } from "./window";
import { from_frequencies, to_frequencies } from "./winograd_transform";

// A 3×3 convolution by tiles of 4×4 pixels: their windows of 6×6 become 36 frequencies, each of which is a product of its own, [tiles, c] by [c, n].
// That is a quarter of the multiplications. Some tiles go at a time, so that their frequencies stay in the cache.

/** Addresses of the pixels of a window. */
const PIXELS: usize = memory.data(36 * sizeof<usize>(), 16);

/** The pixels of a tile, four channels of each. */
const TILE: usize = memory.data(16 * 16, 16);

/** Bytes that keep frequencies from meeting in the same sets of a cache. */
const APART: usize = 64;

/** A 3×3 convolution with stride 1 by Winograd's method; see src/kernels/infer/float.ts. */
export function f32_winograd_conv(
  x: usize,
  w: usize,
  y: usize,
  bias: usize,
  z: usize,
  h: i32,
  wd: i32,
  c: i32,
  oh: i32,
  ow: i32,
  n: i32,
  pt: i32,
  pl: i32,
  ldx: i32,
  ldy: i32,
  ldz: i32,
  z_first: i32,
  kind: i32,
  alpha: f32,
  beta: f32,
  tiles: i32,
  work: usize,
): void {
  const across = (ow + 3) >> 2;
  const all = across * ((oh + 3) >> 2);
  const columns = (n + 7) & ~7;
  const in_step = ((<usize>tiles * c) << 2) + APART;
  const out_step = ((<usize>tiles * columns) << 2) + APART;
  const products = work + in_step * 36;
  for (let t = 0; t < all; t += tiles) {
    const count = min(tiles, all - t);
    for (let i = 0; i < count; i++) {
      const ty = (t + i) / across;
      const tx = t + i - ty * across;
      read(x, h, wd, c, (<usize>ldx) << 2, ty * 4 - pt, tx * 4 - pl, work + ((<usize>i * c) << 2), in_step);
    }
    multiply(count, columns, c, work, in_step, w, products, out_step);
    for (let i = 0; i < count; i++) {
      const oy = ((t + i) / across) << 2;
      const ox = (t + i) * 4 - oy * across;
      const rows = min(4, oh - oy);
      const pixels = min(4, ow - ox);
      const at = <usize>(oy * ow + ox);
      let to = y + ((at * <usize>ldy) << 2);
      write(rows, pixels, n, products + ((<usize>i * columns) << 2), out_step, bias, to, (<usize>ldy) << 2, (<usize>(ow * ldy)) << 2);
      let from: usize = z == 0 ? 0 : z + ((at * <usize>ldz) << 2);
      for (let r = 0; r < rows; r++) {
        finish(pixels, n, to, ldy, from, ldz, z_first, kind, alpha, beta);
        to += (<usize>(ow * ldy)) << 2;
        if (z != 0) from += (<usize>(ow * ldz)) << 2;
      }
    }
  }
}

/** The frequencies of the window whose corner is at row `iy` and column `ix`, `step` bytes apart. */
function read(x: usize, h: i32, wd: i32, c: i32, ldx: usize, iy: i32, ix: i32, y: usize, step: usize): void {
  for (let from = 0; from < c; from += DEPTH) {
    let p = PIXELS;
    for (let r = iy; r < iy + 6; r++) {
      for (let s = ix; s < ix + 6; s++) {
        const inside = <u32>r < <u32>h && <u32>s < <u32>wd;
        store<usize>(p, inside ? x + <usize>(r * wd + s) * ldx + ((<usize>from) << 2) : ZEROS);
        p += sizeof<usize>();
      }
    }
    const end = (<usize>min(DEPTH, c - from)) << 2;
    for (let offset: usize = 0; offset < end; offset += 16) {
      to_frequencies(PIXELS, offset, y, step);
      y += 16;
    }
  }
}

/** Every frequency's product: rows of `c` floats by panels of weights. Rows beyond `m` may be computed too: there is room for a multiple of 12. */
function multiply(m: i32, n: i32, c: i32, a: usize, in_step: usize, b: usize, y: usize, out_step: usize): void {
  const lda = (<usize>c) << 2;
  const ldy = (<usize>n) << 2;
  for (let f = 0; f < 36; f++) {
    for (let j: usize = 0; j < ldy; j += 32) {
      let from = a;
      let to = y + j;
      for (let i = m; i > 0;) {
        const rows = ASC_FEATURE_RELAXED_SIMD && i > 4 ? 6 : 4;
        if (ASC_FEATURE_RELAXED_SIMD && rows == 6) loose6(c, from, lda, b, to, ldy);
        else loose4(c, from, lda, b, to, ldy);
        from += lda * rows;
        to += ldy * rows;
        i -= rows;
      }
      b += (<usize>c) << 5;
    }
    a += in_step;
    y += out_step;
  }
}

/** `rows` × `pixels` of a tile of the output, from its frequencies. */
function write(rows: i32, pixels: i32, n: i32, x: usize, step: usize, bias: usize, y: usize, pixel: usize, line: usize): void {
  for (; n > 0; n -= 4) {
    from_frequencies(x, step, bias, TILE);
    let from = TILE;
    let to = y;
    for (let r = 0; r < rows; r++) {
      for (let s: usize = 0; s < <usize>pixels; s++) v128.store(to + s * pixel, v128.load(from + (s << 4)));
      from += 64;
      to += line;
    }
    x += 16;
    y += 16;
    bias += bias != 0 ? 16 : 0;
  }
}
