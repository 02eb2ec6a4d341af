// What one writes without WebAssembly: plain loops on typed arrays, with Math.round, which sends ties up rather than to even.

/** Symmetric int8 of `c` rows of `inner` values with a scale a row. */
export function int8Rows(c: number, inner: number, x: Float32Array, y: Int8Array, scale: Float32Array): void {
  for (let row = 0; row < c; row++) {
    const from = row * inner;
    const to = from + inner;
    let max = 0;
    for (let i = from; i < to; i++) {
      const a = Math.abs(x[i]!);
      if (a > max) max = a;
    }
    scale[row] = max === 0 ? 1 : max / 127;
    const inverse = max === 0 ? 1 : 127 / max;
    for (let i = from; i < to; i++) y[i] = Math.round(x[i]! * inverse);
  }
}

/** int4 in blocks of 32, two values a byte, for a `k` that is a multiple of 32. */
export function int4Rows(rows: number, k: number, x: Float32Array, y: Uint8Array, scale: Float32Array): void {
  for (let block = 0; block < (rows * k) / 32; block++) {
    const from = block * 32;
    let min = 0;
    let max = 0;
    for (let i = from; i < from + 32; i++) {
      const v = x[i]!;
      if (v < min) min = v;
      if (v > max) max = v;
    }
    const s = (max > -min ? max : min) / -8;
    const inverse = s === 0 ? 0 : 1 / s;
    scale[block] = s;
    for (let i = from; i < from + 32; i += 2) {
      const low = Math.min(15, Math.round(x[i]! * inverse + 8));
      const high = Math.min(15, Math.round(x[i + 1]! * inverse + 8));
      y[i >> 1] = low | (high << 4);
    }
  }
}
