// Packs weights once, at load, as the tiles read them: panels [ceil(n / 8)][k][8], columns beyond n zero. Not hot: plain loops.

/** [k, n], row-major with `ldb` floats from row to row. */
export function f32_pack_b(k: i32, n: i32, b: usize, ldb: i32, y: usize): void {
  pack(k, n, b, (<usize>ldb) << 2, 4, y);
}

/** [n, k], row-major with `ldb` floats from row to row. */
export function f32_pack_bt(k: i32, n: i32, b: usize, ldb: i32, y: usize): void {
  pack(k, n, b, 4, (<usize>ldb) << 2, y);
}

/** Convolution weights [n, c, taps], with k in the order taps, c. */
export function f32_pack_conv(n: i32, c: i32, taps: i32, w: usize, y: usize): void {
  const channel = (<usize>taps) << 2;
  for (let j = 0; j < n; j += 8) {
    for (let t = 0; t < taps; t++) {
      let p = w + ((<usize>j * c * taps + t) << 2);
      for (let i = 0; i < c; i++) {
        row(n - j, p, channel * c, y);
        p += channel;
        y += 32;
      }
    }
  }
}

/** Weights of a transposed convolution [c, n, taps], as [c, taps * n] with columns in the order taps, n. */
export function f32_pack_conv_transpose(c: i32, n: i32, taps: i32, w: usize, y: usize): void {
  const columns = n * taps;
  for (let j = 0; j < columns; j += 8) {
    for (let i = 0; i < c; i++) {
      for (let l = 0; l < 8; l++) {
        const at = j + l;
        const from = w + ((<usize>i * columns + (at % n) * taps + at / n) << 2);
        store<f32>(y, at < columns ? load<f32>(from) : 0);
        y += 4;
      }
    }
  }
}

/** Weights [c, taps] of a convolution of every channel by itself, as [ceil(c / 4)][taps][4]. */
export function f32_pack_depthwise(c: i32, taps: i32, w: usize, y: usize): void {
  for (let i = 0; i < c; i += 4) {
    for (let t = 0; t < taps; t++) {
      for (let l = 0; l < 4; l++) {
        store<f32>(y, i + l < c ? load<f32>(w + ((<usize>(i + l) * taps + t) << 2)) : 0);
        y += 4;
      }
    }
  }
}

function pack(k: i32, n: i32, b: usize, step: usize, column: usize, y: usize): void {
  for (let j = 0; j < n; j += 8) {
    let p = b + <usize>j * column;
    for (let i = 0; i < k; i++) {
      row(n - j, p, column, y);
      p += step;
      y += 32;
    }
  }
}

/** Up to eight floats that lie `column` bytes apart, then zeros. */
function row(n: i32, p: usize, column: usize, y: usize): void {
  const end = y + 32;
  for (let i = min(n, 8); i > 0; i--) {
    store<f32>(y, load<f32>(p));
    p += column;
    y += 4;
  }
  for (; y < end; y += 4) store<f32>(y, 0);
}
