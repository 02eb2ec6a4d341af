/** Bytes of the work area that a kernel packs into; it holds nothing from call to call. */
export const FLOAT_WORK_BYTES = 2 ** 18;

/** Floats of a packed [k, n] matrix: panels of eight columns, [ceil(n / 8)][k][8]. */
export const packedLength = (k: number, n: number): number => Math.ceil(n / 8) * 8 * k;

// More tiles at once make better use of the weights, less of the cache.
const WINOGRAD_BYTES = 2 ** 20;
const LEAST_TILES = 36;

/** How many tiles of 4×4 pixels f32_winograd_conv should take at a time: a multiple of 12. */
export function winogradTiles(c: number, n: number, oh: number, ow: number): number {
  const all = Math.ceil(oh / 4) * Math.ceil(ow / 4);
  const held = WINOGRAD_BYTES / (36 * 4 * (c + Math.ceil(n / 8) * 8));
  return 12 * Math.ceil(Math.min(all, Math.max(held, LEAST_TILES)) / 12);
}

/** Bytes of the work area of f32_winograd_conv. */
export const winogradWorkBytes = (c: number, n: number, tiles: number): number => 36 * (4 * tiles * (c + Math.ceil(n / 8) * 8) + 128);

/**
 * Kernels that multiply float32 matrices and images. Activations are row-major, images [h, wd, c], one a call; counts are elements, `x`, `w`,
 * `y` and the like are addresses in bytes, `ld…` the floats from row to row, or from pixel to pixel. No more of a row is written than its `n`
 * floats, so `y` may be a slice of a wider tensor. Sums are float32, in an order and with fusing that differ between builds.
 *
 * A product ends with `act(sum + bias + z)` where `z_first` is 1, else with `act(sum + bias) + z`. `bias`, f32[n], and `z`, of the shape of y,
 * may be 0: absent. `kind`, `alpha` and `beta` are those of `f32_activate`; `work` is FLOAT_WORK_BYTES of scratch.
 */
export interface FloatKernels {
  /** Packs `b`, f32[k, n], into [ceil(n / 8)][k][8], columns beyond n zero: the order in which f32_gemm reads it. */
  f32_pack_b(k: number, n: number, b: number, ldb: number, y: number): void;
  /** As `f32_pack_b` the transpose of `b`, f32[n, k]. */
  f32_pack_bt(k: number, n: number, b: number, ldb: number, y: number): void;
  /** Packs convolution weights f32[n, c, taps] as `f32_pack_b` would [taps * c, n]: what f32_conv reads. */
  f32_pack_conv(n: number, c: number, taps: number, w: number, y: number): void;
  /** Packs weights of a transposed convolution f32[c, n, taps] as `f32_pack_b` would [c, taps * n]: what makes columns for f32_col2im. */
  f32_pack_conv_transpose(c: number, n: number, taps: number, w: number, y: number): void;
  /** Packs weights f32[c, taps] into [ceil(c / 4)][taps][4], channels beyond c zero: what f32_depthwise reads. */
  f32_pack_depthwise(c: number, taps: number, w: number, y: number): void;
  /** `y[m, n] = a[m, k] * b` and what follows it, with `b` packed; `sparse` is 1 where `sparse_pack` did. https://onnx.ai/onnx/operators/onnx__Gemm.html */
  f32_gemm(
    m: number,
    n: number,
    k: number,
    a: number,
    lda: number,
    b: number,
    sparse: number,
    y: number,
    ldy: number,
    bias: number,
    z: number,
    ldz: number,
    z_first: number,
    kind: number,
    alpha: number,
    beta: number,
    work: number,
  ): void;
  /**
   * Convolution of x[h, wd, c] to y[oh, ow, n] with weights of f32_pack_conv, strides `sh`, `sw` ≥ 1, dilations `dh`, `dw` ≥ 1 and zeros for
   * what lies outside, `pt` rows above and `pl` columns left. A group is a call on slices. https://onnx.ai/onnx/operators/onnx__Conv.html
   */
  f32_conv(
    x: number,
    w: number,
    sparse: number,
    y: number,
    bias: number,
    z: number,
    h: number,
    wd: number,
    c: number,
    oh: number,
    ow: number,
    n: number,
    kh: number,
    kw: number,
    sh: number,
    sw: number,
    dh: number,
    dw: number,
    pt: number,
    pl: number,
    ldx: number,
    ldy: number,
    ldz: number,
    z_first: number,
    kind: number,
    alpha: number,
    beta: number,
    work: number,
  ): void;
  /** Transforms and packs weights f32[n, c, 3, 3] to [36][ceil(n / 8)][c][8]: what f32_winograd_conv reads, 36 / 9 times as many. */
  f32_winograd_pack(n: number, c: number, w: number, y: number): void;
  /**
   * As f32_conv with a 3×3 kernel and strides and dilations 1, by Winograd's F(4×4, 3×3): a quarter of the multiplications, rounding errors
   * about twice as large, below 1e-5 of the largest output. `c` and `n` are multiples of 4. `tiles`, a multiple of 12, are done at once;
   * see {@link winogradTiles}; `work` has {@link winogradWorkBytes}. https://arxiv.org/abs/1509.09308
   */
  f32_winograd_conv(
    x: number,
    w: number,
    y: number,
    bias: number,
    z: number,
    h: number,
    wd: number,
    c: number,
    oh: number,
    ow: number,
    n: number,
    pt: number,
    pl: number,
    ldx: number,
    ldy: number,
    ldz: number,
    z_first: number,
    kind: number,
    alpha: number,
    beta: number,
    tiles: number,
    work: number,
  ): void;
  /**
   * Convolution of every channel by itself: x[h, wd, c] to y[oh, ow, c], weights of
   * f32_pack_depthwise, geometry as f32_conv; `bias` may be 0.
   */
  f32_depthwise(
    x: number,
    w: number,
    y: number,
    bias: number,
    h: number,
    wd: number,
    c: number,
    oh: number,
    ow: number,
    kh: number,
    kw: number,
    sh: number,
    sw: number,
    dh: number,
    dw: number,
    pt: number,
    pl: number,
    kind: number,
    alpha: number,
    beta: number,
  ): void;
  /**
   * The second half of a transposed convolution: adds columns f32[h * wd, kh * kw * n], the product of an image and its packed weights, to
   * the places of y[oh, ow, n] that they reach, on top of `bias`, which may be 0. Strides, dilations and pads are those of the operator.
   * https://onnx.ai/onnx/operators/onnx__ConvTranspose.html
   */
  f32_col2im(
    x: number,
    y: number,
    bias: number,
    h: number,
    wd: number,
    n: number,
    oh: number,
    ow: number,
    kh: number,
    kw: number,
    sh: number,
    sw: number,
    dh: number,
    dw: number,
    pt: number,
    pl: number,
    kind: number,
    alpha: number,
    beta: number,
  ): void;
}
