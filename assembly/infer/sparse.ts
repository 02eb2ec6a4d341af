import { BYTES, NARROW, WIDE } from "./q8_weights";

// Weights of which whole blocks are zero, packed without them. A block is four rows of k and a panel of eight columns. At `p` lie uint32[panels + 1],
// where in the list of all blocks those of each panel start; uint16, the first row of each block; from the next multiple of 16 bytes on the blocks;
// for narrow weights int32[panels][8], the sums of the columns.

export const BLOCK_ROWS: i32 = 4;
/** What a form of weights is more than one of q8_weights.ts. */
export const SPARSE: i32 = 4;
/** float32, which are in panels of [k][8] otherwise. */
export const FLOAT: i32 = 3;

/** Bytes of a block: int16[2][8][2], u7[8][4] of weight plus 64, int8[2][8][2] or float32[4][8]. */
// @ts-ignore: decorator
@inline
export function block_bytes(form: i32): usize {
  return form == (SPARSE | WIDE) ? 64 : form == (SPARSE | FLOAT) ? 128 : 32;
}

/** Where the rows of the blocks of `n` columns lie. */
// @ts-ignore: decorator
@inline
export function rows_at(n: i32, p: usize): usize {
  return p + ((<usize>((n + 15) >> 3)) << 2);
}

/** Where the blocks lie. */
export function blocks_at(n: i32, p: usize): usize {
  const rows = rows_at(n, p);
  return p + ((rows - p + ((<usize>load<u32>(rows - 4)) << 1) + 15) & ~15);
}

/** Where the sums of the columns lie, of narrow weights. */
export function sums_at(n: i32, form: i32, p: usize): usize {
  return blocks_at(n, p) + <usize>load<u32>(rows_at(n, p) - 4) * block_bytes(form);
}

/** How many of `n` ascending rows are less than `k`. */
export function rows_below(k: i32, n: i32, rows: usize): i32 {
  let least = 0;
  if (n > 0 && <i32>load<u16>(rows + ((<usize>n) << 1) - 2) < k) return n;
  while (least < n) {
    const middle = (least + n) >> 1;
    if (<i32>load<u16>(rows + ((<usize>middle) << 1)) < k) least = middle + 1;
    else n = middle;
  }
  return least;
}

// The weights of a block, as `sparse_pack` has them; strides are bytes.
let n_step: usize = 0;
let k_step: usize = 0;
let is_signed: i32 = 0;

/** Packs weights [taps, c] of `n` columns, or counts the blocks that are not zero; see src/kernels/infer/sparse.ts. */
export function sparse_pack(
  n: i32,
  c: i32,
  taps: i32,
  w: usize,
  n_stride: i32,
  c_stride: i32,
  tap_stride: i32,
  w_signed: i32,
  zero: usize,
  form: i32,
  p: usize,
): i32 {
  if (!ASC_FEATURE_RELAXED_SIMD && form == (SPARSE | NARROW)) unreachable();
  const shift = form == (SPARSE | FLOAT) ? 2 : 0;
  n_step = (<usize>n_stride) << shift;
  k_step = (<usize>c_stride) << shift;
  is_signed = w_signed;
  let rows: usize = 0,
    to: usize = 0,
    sums: usize = 0;
  if (p) {
    rows = rows_at(n, p);
    store<u32>(rows - 4, sparse_pack(n, c, taps, w, n_stride, c_stride, tap_stride, w_signed, zero, form, 0));
    to = blocks_at(n, p);
    sums = sums_at(n, form, p);
    if (form == (SPARSE | NARROW)) memory.fill(sums, 0, (<usize>((n + 7) >> 3)) << 5);
  }
  let count = 0;
  for (let j = 0; j < n; j += 8) {
    const columns = min(8, n - j);
    if (p) store<u32>(p + ((<usize>j) >> 1), count);
    for (let tap = 0; tap < taps; tap++) {
      let from = w + <usize>j * n_step + ((<usize>(tap * tap_stride)) << shift);
      for (let i = 0; i < c; i += BLOCK_ROWS) {
        const depth = min(BLOCK_ROWS, c - i);
        if (!is_zero(columns, depth, from, zero, form)) {
          if (p) {
            store<u16>(rows + ((<usize>count) << 1), <u16>(tap * c + i));
            pack_block(columns, depth, from, zero, form, to, sums);
            to += block_bytes(form);
          }
          count++;
        }
        from += k_step << 2;
      }
    }
    if (zero) zero += 8;
    sums += 32;
  }
  return count;
}

/** A weight less its zero point; of a float its bits but the sign. */
// @ts-ignore: decorator
@inline
function weight(p: usize, zero: usize, form: i32): i32 {
  if (form == (SPARSE | FLOAT)) return load<i32>(p) << 1;
  if (is_signed) return <i32>load<i8>(p) - (zero ? <i32>load<i8>(zero) : 0);
  return <i32>load<u8>(p) - (zero ? <i32>load<u8>(zero) : 0);
}

function is_zero(n: i32, k: i32, w: usize, zero: usize, form: i32): bool {
  for (; n > 0; n--) {
    let p = w;
    for (let i = k; i > 0; i--) {
      if (weight(p, zero, form)) return false;
      p += k_step;
    }
    w += n_step;
    if (zero) zero++;
  }
  return true;
}

function pack_block(n: i32, k: i32, w: usize, zero: usize, form: i32, y: usize, sums: usize): void {
  memory.fill(y, form == (SPARSE | NARROW) ? 64 : 0, block_bytes(form));
  for (let j: usize = 0; j < <usize>n; j++) {
    let p = w;
    let sum = 0;
    for (let i: usize = 0; i < <usize>k; i++) {
      const v = weight(p, zero, form);
      const pair = ((i & 2) << 3) + (j << 1) + (i & 1);
      sum += v;
      if (form == (SPARSE | FLOAT)) store<f32>(y + (i << 5) + (j << 2), load<f32>(p));
      else if (form == (SPARSE | NARROW)) store<u8>(y + (j << 2) + i, <u8>(v + 64));
      else if (form == (SPARSE | BYTES)) store<u8>(y + pair, <u8>v);
      else store<i16>(y + (pair << 1), <i16>v);
      p += k_step;
    }
    if (form == (SPARSE | NARROW)) store<i32>(sums + (j << 2), load<i32>(sums + (j << 2)) + sum);
    w += n_step;
    if (zero) zero++;
  }
}
