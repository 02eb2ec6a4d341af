import type { CompressKernels } from "../kernels.ts";

/**
 * Kernels that multiply int8 and int4 matrices and images, and quantize around them. Sums are exact, and every result that needs no activation
 * is the same bit for bit in all builds. Quantized data are bytes: int8 where a flag `…_signed` says so, else uint8. Zero points are values, not
 * bytes. `window` and `output` are addresses of what `windowWords` and `outputWords` give.
 */
export interface IntegerKernels extends Pick<CompressKernels, "f32_qa8_channels" | "nf4_f32"> {
  /** Whether `n` int8 weights are all in -64..63: then, in the relaxed build, `q8_pack` may pack them `narrow`. */
  q8_is_narrow(n: number, w: number): number;
  /**
   * Packs the weights of `n` columns for `q8_gemm` and `q8_conv`, each of k = taps · c weights in the order tap, channel; strides are elements.
   * B [k, n] has c = k, taps = 1 and strides 1, n, 0; its transpose has k, 1, 0; a convolution's [n, c, kh, kw] has taps = kh · kw and strides
   * c · taps, taps, 1. `zero` has a zero point, a byte of the weights' kind, for each column, or is 0. `form` is one of Q8_FORMS; `p` receives
   * `q8PackedBytes`.
   */
  q8_pack(
    n: number,
    c: number,
    taps: number,
    w: number,
    n_stride: number,
    c_stride: number,
    tap_stride: number,
    w_signed: number,
    zero: number,
    form: number,
    p: number,
  ): void;
  /**
   * The product of bytes a[m, k], `lda` from row to row, less their zero point, and packed weights `b` [k, n] less theirs; `output` says what
   * becomes of the sums: y[m, n], `ldy` from row to row. `form` is that of the weights, which may be sparse. `scale` is float32[n]; `bias` int32[n] or float32[n], or 0; `table` 256 bytes, or 0.
   * https://onnx.ai/onnx/operators/onnx__QLinearMatMul.html
   */
  q8_gemm(
    m: number,
    n: number,
    k: number,
    a: number,
    lda: number,
    a_signed: number,
    a_zero: number,
    b: number,
    form: number,
    y: number,
    ldy: number,
    bias: number,
    scale: number,
    table: number,
    output: number,
    work: number,
  ): void;
  /**
   * The same product of the windows of an image, which are the zero point outside of it, and packed weights [kh, kw, c, n]: y[oh, ow, n].
   * https://onnx.ai/onnx/operators/onnx__QLinearConv.html
   */
  q8_conv(
    x: number,
    window: number,
    x_signed: number,
    x_zero: number,
    b: number,
    form: number,
    n: number,
    y: number,
    ldy: number,
    bias: number,
    scale: number,
    table: number,
    output: number,
    work: number,
  ): void;
  /**
   * Whether int8 weights w[n, k], those of 3×3 windows of at least eight channels, may go to `q8_winograd_conv`: of no column are the magnitudes
   * too great together (2^25 / 255).
   */
  q8_winograd_fits(n: number, k: number, w: number): number;
  /** Transforms and packs int8 weights [n, c, 3, 3] without zero points for `q8_winograd_conv`. `p` receives `q8WinogradBytes`. */
  q8_winograd_pack(n: number, c: number, w: number, p: number): void;
  /**
   * As `q8_conv`, to the same bits, where kernels are 3×3 and strides and dilations 1: two to three times as fast, with weights that take eight
   * times the room of int8. `work` is `q8WinogradWorkBytes`.
   */
  q8_winograd_conv(
    x: number,
    window: number,
    x_signed: number,
    x_zero: number,
    b: number,
    n: number,
    y: number,
    ldy: number,
    bias: number,
    scale: number,
    table: number,
    output: number,
    work: number,
  ): void;
  /** Packs weights [c, kh, kw] for `q8_depthwise`; `zero` and kinds as `q8_pack` has them. `p` receives `q8DepthwiseBytes`. */
  q8_pack_depthwise(c: number, kh: number, kw: number, w: number, w_signed: number, zero: number, p: number): void;
  /** As `q8_conv` where every channel is convolved by itself: y[oh, ow, c]. The kernel is one that `q8DepthwiseFits`. */
  q8_depthwise(
    x: number,
    window: number,
    x_signed: number,
    x_zero: number,
    b: number,
    y: number,
    ldy: number,
    bias: number,
    scale: number,
    table: number,
    output: number,
    work: number,
  ): void;
  /** The greatest byte of each window and channel, of those in the image: y[oh, ow, c]. https://onnx.ai/onnx/operators/onnx__MaxPool.html */
  q8_max_pool(x: number, window: number, x_signed: number, y: number, ldy: number): void;
  /**
   * `clamp(roundTiesToEven(Σ(x - x_zero) · f32(scale / count)) + y_zero, low, high)` of each window and channel: y[oh, ow, c]. `scale` is that of x
   * divided by that of y; `count` is kh · kw where `count_pad` is 1, else the taps in the image.
   * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QLinearAveragePool
   */
  q8_average_pool(
    x: number,
    window: number,
    x_signed: number,
    x_zero: number,
    scale: number,
    count_pad: number,
    y: number,
    ldy: number,
    y_zero: number,
    low: number,
    high: number,
  ): void;
  /** `(x - zero_point) * scale`: bytes [outer, c, inner] to float32, with scales, zero points and `low` as `f32_qa8_channels` has them. */
  qa8_f32_channels(outer: number, c: number, inner: number, x: number, y: number, scale: number, zero_point: number, low: number): void;
  /**
   * f32[n] to uint8[n] by its range, which 0 belongs to, and infinities and NaN do not: scale = f32(max - min) / 255, or 1 where that is 0, and
   * the zero point roundTiesToEven(-min / scale) are written to `scale`, f32, and `zero`, a byte.
   * https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html
   */
  f32_dynamic_quantize(n: number, x: number, y: number, scale: number, zero: number): void;
  /** `y = table[x]`: `m` rows of `n` bytes; any function of one quantized value, requantization among them. `y` may be `x`. */
  q8_lookup(m: number, n: number, x: number, ldx: number, y: number, ldy: number, table: number): void;
  /**
   * `clamp(roundTiesToEven(((a - a_zero) · a_scale + (b - b_zero) · b_scale) / y_scale) + y_zero, low, high)` of `n` bytes `a` and `b`, which is
   * repeated every `c` bytes; c = n: no broadcast, c = 1: one for all. Each step is rounded to float32, as DequantizeLinear, Add and
   * QuantizeLinear round it. `y` may be `a`, or `b` where c = n.
   */
  q8_add(
    n: number,
    c: number,
    a: number,
    a_scale: number,
    a_zero: number,
    b: number,
    b_scale: number,
    b_zero: number,
    y: number,
    y_scale: number,
    y_zero: number,
    is_signed: number,
    low: number,
    high: number,
  ): void;
  /** As `q8_add`, the product. */
  q8_mul(
    n: number,
    c: number,
    a: number,
    a_scale: number,
    a_zero: number,
    b: number,
    b_scale: number,
    b_zero: number,
    y: number,
    y_scale: number,
    y_zero: number,
    is_signed: number,
    low: number,
    high: number,
  ): void;
  /**
   * Packs weights of 4 or 8 bits, [k, n] with any strides, counted in elements, that have a scale and a zero point for each `block` of k and each
   * column: a multiple of 8, or at least k. Of int4 the earlier element is in the low nibble. `scale` and `zero` are float32, `scale_n` from column
   * to column and `scale_b` from block to block; `zero` may be 0: then all are `all_zero`. B of MatMulNBits is n_stride = blocks · block, k_stride =
   * 1, unsigned, `all_zero` 8. `p` receives `qbwPackedBytes`.
   * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits
   */
  qbw_pack(
    bits: number,
    n: number,
    k: number,
    block: number,
    w: number,
    n_stride: number,
    k_stride: number,
    w_signed: number,
    scale: number,
    zero: number,
    all_zero: number,
    scale_n: number,
    scale_b: number,
    p: number,
  ): void;
  /**
   * `act(Σ a · (w - zero) · scale + bias)` in float32: a[m, k], `lda` from row to row, times weights `b` that `qbw_pack` has packed, to y[m, n]. `bias`
   * is float32[n] or 0; activations are those of `f32_activate`. `work` is QBW_WORK_BYTES of scratch.
   */
  f32_qbw_gemm(
    bits: number,
    m: number,
    n: number,
    k: number,
    block: number,
    a: number,
    lda: number,
    b: number,
    y: number,
    ldy: number,
    bias: number,
    kind: number,
    alpha: number,
    beta: number,
    work: number,
  ): void;
}
