/**
 * Kernels that multiply int8 and int4 matrices and images, and quantize around them. Sums are exact, and every result that needs no activation
 * is the same bit for bit in all builds. Quantized data are bytes: int8 where a flag `…_signed` says so, else uint8. Zero points are values, not
 * bytes. `window` and `output` are addresses of what `windowWords` and `outputWords` give.
 */
export interface IntegerKernels {
  /** Whether `n` int8 weights are all in -64..63: then, in the relaxed build, `q8_pack` may pack them narrow, which is smaller and quicker. */
  q8_is_narrow(n: number, w: number): number;
  /**
   * Packs the weights of `n` columns for `q8_gemm` and `q8_conv`, each of k = taps · c weights in the order tap, channel; strides are elements.
   * B [k, n] has c = k, taps = 1 and strides 1, n, 0; its transpose has k, 1, 0; a convolution's [n, c, kh, kw] has taps = kh · kw and strides
   * c · taps, taps, 1. `zero` has a zero point, a byte of the weights' kind, for each column, or is 0. `narrow` is for the relaxed build, and int8
   * in -64..63 without zero points. `p` receives `q8PackedBytes`.
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
    narrow: number,
    p: number,
  ): void;
  /**
   * The product of bytes a[m, k], `lda` from row to row, less their zero point, and packed weights `b` [k, n] less theirs; `output` says what
   * becomes of the sums: y[m, n], `ldy` from row to row. `scale` is float32[n]; `bias` int32[n] or float32[n], or 0; `table` 256 bytes, or 0.
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
    narrow: number,
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
    narrow: number,
    n: number,
    y: number,
    ldy: number,
    bias: number,
    scale: number,
    table: number,
    output: number,
    work: number,
  ): void;
}
