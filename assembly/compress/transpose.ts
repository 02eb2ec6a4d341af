/** Columns that are written together: so many rows of `y` grow side by side. */
const STRIP = 8;

/** Writes the `k` rows of `n` floats at `x`, which lie `ld` floats apart, as `n` rows of `k`, which lie `to` floats apart. */
export function f32_transpose(k: i32, n: i32, ld: i32, x: usize, y: usize, to: i32): void {
  const x_step = (<usize>ld) << 2;
  const y_step = (<usize>to) << 2;
  for (let from = 0; from < n; from += STRIP) {
    const end = min(from + STRIP, n);
    let i = 0;
    for (; i + 4 <= k; i += 4) {
      let j = from;
      for (; j + 4 <= end; j += 4) {
        const p = x + <usize>i * x_step + ((<usize>j) << 2);
        const a = v128.load(p);
        const b = v128.load(p + x_step);
        const c = v128.load(p + 2 * x_step);
        const d = v128.load(p + 3 * x_step);
        const ab0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
        const ab1 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
        const cd0 = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
        const cd1 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
        const q = y + <usize>j * y_step + ((<usize>i) << 2);
        v128.store(q, v128.shuffle<i64>(ab0, cd0, 0, 2));
        v128.store(q + y_step, v128.shuffle<i64>(ab0, cd0, 1, 3));
        v128.store(q + 2 * y_step, v128.shuffle<i64>(ab1, cd1, 0, 2));
        v128.store(q + 3 * y_step, v128.shuffle<i64>(ab1, cd1, 1, 3));
      }
      for (; j < end; ++j) for (let r = i; r < i + 4; ++r) move(r, j, x, x_step, y, y_step);
    }
    for (; i < k; ++i) for (let j = from; j < end; ++j) move(i, j, x, x_step, y, y_step);
  }
}

// @ts-ignore: decorator
@inline
function move(i: i32, j: i32, x: usize, x_step: usize, y: usize, y_step: usize): void {
  store<u32>(y + <usize>j * y_step + ((<usize>i) << 2), load<u32>(x + <usize>i * x_step + ((<usize>j) << 2)));
}
