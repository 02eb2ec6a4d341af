import { magnitude } from "../lanes";
import { fours } from "./nm_fours";
import { f32_transpose } from "./transpose";

// Of `m` values the `keep` with the largest keys stay. The rank of a value is the number of those that go before it: larger ones, and equal
// ones that come earlier. Groups are ranked side by side in a tile, a row of it for each place in a group.

/** The most values in a group. */
const MOST: i32 = 32;

/** Columns of a tile. */
const COLUMNS: i32 = 64;

/** Bytes of a row of a tile. */
const ROW: usize = COLUMNS * 4;

/** Scores of a tile, then their keys. */
const SCORES: usize = memory.data(MOST * COLUMNS * 4, 16);

/** What stays of a tile, all bits or none. */
const KEPT: usize = memory.data(MOST * COLUMNS * 4, 16);

/** From `SCORES` to `KEPT`, for the first `columns` of a tile or a few more. */
function rank(m: i32, keep: i32, columns: i32): void {
  const mask = i32x4.splat(0x7fffffff);
  const few = i32x4.splat(keep);
  const one = i32x4.splat(1);
  const rows = <usize>m * ROW;
  for (let c: usize = 0; c < (<usize>columns) << 2; c += 64) {
    const end = SCORES + c + rows;
    for (let p = SCORES + c; p < end; p += ROW) {
      v128.store(p, magnitude(v128.load(p), mask));
      v128.store(p, magnitude(v128.load(p, 16), mask), 16);
      v128.store(p, magnitude(v128.load(p, 32), mask), 32);
      v128.store(p, magnitude(v128.load(p, 48), mask), 48);
    }
    let earlier = i32x4.splat(0);
    for (let p = SCORES + c; p < end; p += ROW) {
      const k0 = v128.load(p);
      const k1 = v128.load(p, 16);
      const k2 = v128.load(p, 32);
      const k3 = v128.load(p, 48);
      // All earlier ones, less those that are smaller.
      let r0 = earlier;
      let r1 = earlier;
      let r2 = earlier;
      let r3 = earlier;
      for (let q = SCORES + c; q < p; q += ROW) {
        r0 = i32x4.add(r0, i32x4.gt_s(k0, v128.load(q)));
        r1 = i32x4.add(r1, i32x4.gt_s(k1, v128.load(q, 16)));
        r2 = i32x4.add(r2, i32x4.gt_s(k2, v128.load(q, 32)));
        r3 = i32x4.add(r3, i32x4.gt_s(k3, v128.load(q, 48)));
      }
      for (let q = p + ROW; q < end; q += ROW) {
        r0 = i32x4.sub(r0, i32x4.gt_s(v128.load(q), k0));
        r1 = i32x4.sub(r1, i32x4.gt_s(v128.load(q, 16), k1));
        r2 = i32x4.sub(r2, i32x4.gt_s(v128.load(q, 32), k2));
        r3 = i32x4.sub(r3, i32x4.gt_s(v128.load(q, 48), k3));
      }
      const to = p - SCORES;
      v128.store(to, i32x4.gt_s(few, r0), KEPT);
      v128.store(to, i32x4.gt_s(few, r1), KEPT + 16);
      v128.store(to, i32x4.gt_s(few, r2), KEPT + 32);
      v128.store(to, i32x4.gt_s(few, r3), KEPT + 48);
      earlier = i32x4.add(earlier, one);
    }
  }
}

/** Copies `n` floats. */
// @ts-ignore: decorator
@inline
function copy(n: i32, x: usize, y: usize): void {
  const end = (<usize>n) << 2;
  let i: usize = 0;
  for (; i + 16 <= end; i += 16) v128.store(y + i, v128.load(x + i));
  for (; i < end; i += 4) store<u32>(y + i, load<u32>(x + i));
}

/** Copies `n` floats as far as `kept` has their bits. */
// @ts-ignore: decorator
@inline
function copy_kept(n: i32, x: usize, kept: usize, y: usize): void {
  const end = (<usize>n) << 2;
  let i: usize = 0;
  for (; i + 16 <= end; i += 16) v128.store(y + i, v128.and(v128.load(x + i), v128.load(kept + i)));
  for (; i < end; i += 4) store<u32>(y + i, load<u32>(x + i) & load<u32>(kept + i));
}

/** A tile of `groups`, each `group` bytes after the one before and a run of `n` columns wide, `step` bytes from a row to the next. */
function nm_tile(groups: i32, m: i32, keep: i32, n: i32, step: usize, group: usize, s: usize, x: usize, y: usize): void {
  const run = (<usize>n) << 2;
  const end = <usize>groups * run;
  for (let p: usize = 0; p < <usize>m; ++p) {
    let from = s + p * step;
    for (let c: usize = 0; c < end; c += run) {
      copy(n, from, SCORES + p * ROW + c);
      from += group;
    }
  }
  rank(m, keep, groups * n);
  for (let p: usize = 0; p < <usize>m; ++p) {
    let at = p * step;
    for (let c: usize = 0; c < end; c += run) {
      copy_kept(n, x + at, KEPT + p * ROW + c, y + at);
      at += group;
    }
  }
}

/** Groups of neighbours. */
function nm_rows(groups: i32, m: i32, keep: i32, s: usize, x: usize, y: usize): void {
  for (; groups > 0; groups -= COLUMNS) {
    const n = min(groups, COLUMNS);
    f32_transpose(n, m, m, s, SCORES, COLUMNS);
    rank(m, keep, n);
    // The scores have done.
    f32_transpose(m, n, COLUMNS, KEPT, SCORES, m);
    copy_kept(n * m, x, SCORES, y);
    const bytes = (<usize>(n * m)) << 2;
    s += bytes;
    x += bytes;
    y += bytes;
  }
}

/**
 * N:M sparsity of `x`, read as [outer, groups * m, inner]: of `m` <= 32 floats, `inner` apart, `y` gets those with the `keep` largest keys of
 * `s` bit for bit, of equal keys the earlier, and +0 for the others. `s` may be `x`. NaN is above Infinity. https://arxiv.org/abs/2104.08378
 */
export function f32_nm(outer: i32, groups: i32, m: i32, keep: i32, inner: i32, s: usize, x: usize, y: usize): void {
  groups *= outer;
  const step = (<usize>inner) << 2;
  const group = <usize>m * step;
  if (m == 4 && (inner == 1 || inner >= 4)) {
    fours(groups, keep, inner, s, x, y);
    if (inner > 1) return;
    const done = <usize>(groups & ~3) * group;
    s += done;
    x += done;
    y += done;
    groups &= 3;
  }
  if (inner == 1) return nm_rows(groups, m, keep, s, x, y);
  const most = max(COLUMNS / max(inner, 1), 1);
  for (; groups > 0; groups -= most) {
    for (let i = 0; i < inner; i += COLUMNS) {
      const at = (<usize>i) << 2;
      nm_tile(min(groups, most), m, keep, min(inner - i, COLUMNS), step, group, s + at, x + at, y + at);
    }
    s += <usize>most * group;
    x += <usize>most * group;
    y += <usize>most * group;
  }
}
