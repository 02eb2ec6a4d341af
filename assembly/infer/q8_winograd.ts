import { finish, Output, prepare, size_of } from "./q8_output";
import { tile_wide } from "./q8_tile";
import { fill, Window } from "./q8_window";
import { transform_image, transform_sums, transform_weights } from "./q8_winograd_transform";
import { PACKED, SCALE, START, BIAS, SUMS, WINDOWS, WORK } from "./q8_work";

// 3×3 convolution with a quarter of the multiplications, to the same bits. Sixteen tiles of 4 × 4 outputs become 36 products of [16, c] and [c, n],
// one for each element of the transformed windows. Channels go in groups of eight, of which the last ends with the last channel: weights of
// channels that have been there are zero.

/** Tiles and columns of a block. */
const TILES: i32 = 16;
const COLUMNS: i32 = 64;

// The work area: that of the other products, with what lies outside of the image where they have packed rows; then the products and the image.
const PRODUCTS: usize = (WORK + 15) & ~15;
const PRODUCT: usize = <usize>(TILES * COLUMNS * 4);
const IMAGE: usize = PRODUCTS + 36 * PRODUCT;

/** The windows of 6 × 6 that tiles read. */
const TILE_WINDOW: usize = memory.data(offsetof<Window>(), 16);
const ZEROS: usize = memory.data(32, 16);

/** Whether sums of `k` products of bytes and the int8 weights of each of `n` columns surely are below 2^25, and there are eight channels. */
export function q8_winograd_fits(n: i32, k: i32, w: usize): i32 {
  for (; n > 0; n--) {
    let sum = 0;
    for (const end = w + <usize>k; w < end; w++) sum += abs(<i32>load<i8>(w));
    if (sum * 255 >= 1 << 25) return 0;
  }
  return k >= 72;
}

/** Transforms and packs weights [n, c, 3, 3]; see src/kernels/infer/integer.ts. */
export function q8_winograd_pack(n: i32, c: i32, w: usize, p: usize): void {
  const groups = (c + 7) >> 3;
  const panel = (<usize>groups) << 7;
  const position = panel * <usize>((n + 7) >> 3);
  memory.fill(p, 0, 36 * position);
  for (let j = 0; j < n; j++) {
    const column = p + panel * <usize>(j >> 3) + ((<usize>(j & 7)) << 2);
    for (let i = 0; i < c; i++) {
      const k = i < (c & ~7) ? i : i + 8 - (c & 7);
      transform_weights(w, column + ((<usize>(k >> 1)) << 5) + ((<usize>(k & 1)) << 1), position);
      w += 9;
    }
  }
}

/** As q8_conv, 3×3 with stride and dilation 1; see src/kernels/infer/integer.ts. */
export function q8_winograd_conv(
  x: usize,
  window: usize,
  x_signed: i32,
  x_zero: i32,
  b: usize,
  n: i32,
  y: usize,
  ldy: i32,
  bias: usize,
  scale: usize,
  table: usize,
  output: usize,
  work: usize,
): void {
  const v = changetype<Window>(window);
  const out = changetype<Output>(output);
  const across = (v.ow + 3) >> 2;
  const tiles = across * ((v.oh + 3) >> 2);
  const tile = changetype<Window>(TILE_WINDOW);
  memory.copy(TILE_WINDOW, window, offsetof<Window>());
  tile.kh = 6;
  tile.kw = 6;
  tile.sh = 4;
  tile.sw = 4;
  tile.ow = across;
  const groups = (v.c + 7) >> 3;
  const strip = (<usize>groups) << 6;
  fill(v.c, x_zero, work + PACKED);
  for (let t = 0; t < tiles; t += TILES) {
    const rows = min(TILES, tiles - t);
    for (let r = 0; r < rows; r++) {
      locate(tile, x, v.c, t + r, 36, work + PACKED, work + WINDOWS);
      const to = work + IMAGE + strip * <usize>(r >> 2) + ((<usize>(r & 3)) << 4);
      if (x_signed) transform_image<i8>(v.c, work + WINDOWS, x_zero, to, 64, strip << 2);
      else transform_image<u8>(v.c, work + WINDOWS, x_zero, to, 64, strip << 2);
    }
    for (let j = 0; j < n; j += COLUMNS) {
      const columns = min(COLUMNS, n - j);
      const at = (<usize>j) << 2;
      prepare(columns, bias ? bias + at : 0, scale ? scale + at : 0, out, work);
      multiply(rows, columns, groups, b + ((<usize>(j >> 3) * <usize>groups) << 7), (<usize>((n + 7) >> 3) * <usize>groups) << 7, work);
      const next = (<usize>((columns + 15) & ~15)) << 2;
      for (let r = 0; r < rows; r++) {
        transform_sums(columns, work + PRODUCTS + ((<usize>r) << 8), PRODUCT, work + START, work + SUMS, next);
        const oy = ((t + r) / across) << 2,
          ox = ((t + r) % across) << 2;
        const pixels = min(4, v.ow - ox);
        for (let i = 0; i < min(4, v.oh - oy); i++) {
          const to = y + (<usize>((oy + i) * v.ow + ox) * <usize>ldy + <usize>j) * size_of(out);
          finish(pixels, columns, work + SUMS + ((<usize>i * next) << 2), work + SCALE, work + BIAS, table, out, to, ldy);
        }
      }
    }
  }
}

/** The 36 products of up to sixteen tiles and `n` columns. */
function multiply(m: i32, n: i32, groups: i32, b: usize, position: usize, work: usize): void {
  const strip = (<usize>groups) << 6;
  for (let i: usize = 0; i < 36; i++) {
    let panel = b + i * position;
    for (let j = 0; j < n; j += 8) {
      let a = work + IMAGE + i * (strip << 2);
      let c = work + PRODUCTS + i * PRODUCT + ((<usize>j) << 2);
      for (let r = 0; r < m; r += 4) {
        tile_wide(groups << 3, a, panel, ZEROS, 0, c, COLUMNS << 2, usize.MAX_VALUE, 0, 0);
        a += strip;
        c += (<usize>COLUMNS) << 4;
      }
      panel += (<usize>groups) << 7;
    }
  }
}

/** Notes where the taps of output pixel `i` are, and once more the last one where their number is odd. Outside of the image they are `pad`. */
function locate(v: Window, x: usize, n: i32, i: i32, taps: i32, pad: usize, to: usize): void {
  const h = v.h,
    w = v.w,
    kw = v.kw,
    kh = v.kh,
    dh = v.dh,
    dw = v.dw;
  const ldx = <usize>v.ldx;
  const oy = i / v.ow;
  const left = (i - oy * v.ow) * v.sw - v.pl;
  let iy = oy * v.sh - v.pt;
  let own = pad + <usize>COLUMNS + 16;
  for (let ky = 0; ky < kh; ky++) {
    let ix = left;
    for (let kx = 0; kx < kw; kx++) {
      let p = <u32>iy < <u32>h && <u32>ix < <u32>w ? x + <usize>(iy * w + ix) * ldx : pad;
      if (n < 8) {
        // Eight channels are read.
        memory.copy(own, p, n);
        p = own;
        own += 8;
      }
      store<usize>(to, p);
      to += sizeof<usize>();
      ix += dw;
    }
    iy += dh;
  }
  if (taps & 1) store<usize>(to, load<usize>(to - sizeof<usize>()));
}
