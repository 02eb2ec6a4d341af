// Block-wise weights in plain TypeScript.

const f = Math.fround;

/** The panels of `qbw_pack`. */
function layout(bits: number, k: number, block: number): { panel: number; words: number; blocks: number } {
  const blocks = Math.ceil(k / block);
  const words = Math.ceil(k / 8) * 8 * bits;
  return { panel: words + blocks * 64, words, blocks };
}

export function qbw_pack(
  bits: number,
  n: number,
  k: number,
  block: number,
  w: Uint8Array,
  n_stride: number,
  k_stride: number,
  w_signed: number,
  scale: Float32Array,
  zero: Float32Array | 0,
  all_zero: number,
  scale_n: number,
  scale_b: number,
  p: Uint8Array,
): void {
  const view = new DataView(p.buffer, p.byteOffset, p.byteLength);
  const { panel, words, blocks } = layout(bits, k, block);
  const each = 32 / bits;
  p.fill(0);
  for (let j = 0; j < n; j++) {
    const column = (j >> 3) * panel + (j & 7) * 4;
    for (let i = 0; i < k; i++) {
      const at = j * n_stride + i * k_stride;
      const q = bits === 4 ? (w[at >> 1]! >> ((at & 1) * 4)) & 15 : w[at]!;
      const unsigned = w_signed ? q ^ (1 << (bits - 1)) : q;
      const to = column + Math.floor(i / each) * 32;
      view.setUint32(to, view.getUint32(to, true) + unsigned * 2 ** ((i % each) * bits), true);
    }
    for (let b = 0; b < blocks; b++) {
      const at = j * scale_n + b * scale_b;
      view.setFloat32(column + words + b * 32, scale[at]!, true);
      view.setFloat32(column + words + (blocks + b) * 32, (zero === 0 ? all_zero : zero[at]!) + (w_signed ? 1 << (bits - 1) : 0), true);
    }
  }
}

export function f32_qbw_gemm(
  bits: number,
  m: number,
  n: number,
  k: number,
  block: number,
  a: Float32Array,
  lda: number,
  p: Uint8Array,
  y: Float32Array,
  ldy: number,
  bias: Float32Array | 0,
  kind: number,
  alpha: number,
  beta: number,
): void {
  const view = new DataView(p.buffer, p.byteOffset, p.byteLength);
  const { panel, words, blocks } = layout(bits, k, block);
  const each = 32 / bits;
  for (let j = 0; j < n; j++) {
    const column = (j >> 3) * panel + (j & 7) * 4;
    const w = Float64Array.from({ length: k }, (_, i) => {
      const q = (view.getUint32(column + Math.floor(i / each) * 32, true) >>> ((i % each) * bits)) & (2 ** bits - 1);
      const scale = column + words + Math.floor(i / block) * 32;
      return (q - view.getFloat32(scale + blocks * 32, true)) * view.getFloat32(scale, true);
    });
    for (let i = 0; i < m; i++) {
      const sum = w.reduce((total, v, l) => total + v * a[i * lda + l]!, bias === 0 ? 0 : bias[j]!);
      y[i * ldy + j] = kind === 2 ? Math.min(Math.max(sum, f(alpha)), f(beta)) : kind === 1 ? Math.max(sum, 0) : sum;
    }
  }
}
