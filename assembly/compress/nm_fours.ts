import { magnitude, zip32_high, zip32_low } from "../lanes";

/** Four groups of four: `step` bytes apart lie four vectors, each a group where they are `turned`, else a place in the groups. */
// @ts-ignore: decorator
@inline
function four(s: usize, x: usize, y: usize, step: usize, turned: bool, mask: v128, ta: v128, tb: v128, tc: v128, td: v128): void {
  let a = magnitude(v128.load(s), mask);
  let b = magnitude(v128.load(s + step), mask);
  let c = magnitude(v128.load(s + 2 * step), mask);
  let d = magnitude(v128.load(s + 3 * step), mask);
  if (turned) {
    const ab_low = zip32_low(a, b);
    const ab_high = zip32_high(a, b);
    const cd_low = zip32_low(c, d);
    const cd_high = zip32_high(c, d);
    a = v128.shuffle<i64>(ab_low, cd_low, 0, 2);
    b = v128.shuffle<i64>(ab_low, cd_low, 1, 3);
    c = v128.shuffle<i64>(ab_high, cd_high, 0, 2);
    d = v128.shuffle<i64>(ab_high, cd_high, 1, 3);
  }
  // -1 where the later is larger. The rank of b is 1 + ba - cb - db, and so on.
  const ba = i32x4.gt_s(b, a);
  const ca = i32x4.gt_s(c, a);
  const da = i32x4.gt_s(d, a);
  const cb = i32x4.gt_s(c, b);
  const db = i32x4.gt_s(d, b);
  const dc = i32x4.gt_s(d, c);
  a = i32x4.gt_s(i32x4.add(i32x4.add(ba, ca), da), ta);
  b = i32x4.gt_s(i32x4.sub(i32x4.add(cb, db), ba), tb);
  c = i32x4.gt_s(i32x4.sub(i32x4.sub(dc, ca), cb), tc);
  d = i32x4.gt_s(td, i32x4.add(i32x4.add(da, db), dc));
  if (turned) {
    const ab_low = zip32_low(a, b);
    const ab_high = zip32_high(a, b);
    const cd_low = zip32_low(c, d);
    const cd_high = zip32_high(c, d);
    a = v128.shuffle<i64>(ab_low, cd_low, 0, 2);
    b = v128.shuffle<i64>(ab_low, cd_low, 1, 3);
    c = v128.shuffle<i64>(ab_high, cd_high, 0, 2);
    d = v128.shuffle<i64>(ab_high, cd_high, 1, 3);
  }
  v128.store(y, v128.and(v128.load(x), a));
  v128.store(y + step, v128.and(v128.load(x + step), b));
  v128.store(y + 2 * step, v128.and(v128.load(x + 2 * step), c));
  v128.store(y + 3 * step, v128.and(v128.load(x + 3 * step), d));
}

/** Groups of four: of neighbours four groups at a time, the rest left; else `inner` >= 4 columns. */
export function fours(groups: i32, keep: i32, inner: i32, s: usize, x: usize, y: usize): void {
  const mask = i32x4.splat(0x7fffffff);
  const ta = i32x4.splat(-keep);
  const tb = i32x4.splat(1 - keep);
  const tc = i32x4.splat(2 - keep);
  const td = i32x4.splat(keep - 3);
  if (inner == 1) {
    const end = ((<usize>groups) >> 2) << 6;
    for (let i: usize = 0; i < end; i += 64) four(s + i, x + i, y + i, 16, true, mask, ta, tb, tc, td);
    return;
  }
  const step = (<usize>inner) << 2;
  for (; groups > 0; --groups) {
    for (let i = 0; i < inner; i += 4) {
      const at = (<usize>min(i, inner - 4)) << 2;
      four(s + at, x + at, y + at, step, false, mask, ta, tb, tc, td);
    }
    s += 4 * step;
    x += 4 * step;
    y += 4 * step;
  }
}
