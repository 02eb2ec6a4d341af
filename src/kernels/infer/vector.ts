/** Kernels that go over float32 tensors: elementwise, reductions, normalizations, transposition, pooling, resizing. */
export interface VectorKernels {
  /**
   * Applies an activation to f32[n]; `y` may be `x`. `kind`: 0 none, 1 Relu, 2 Clip to [alpha, beta], 3 Sigmoid, 4 SiLU, 5 HardSigmoid, 6
   * HardSwish (x HardSigmoid(x)), 7 LeakyRelu, 8 Gelu (erf), 9 Gelu (tanh), 10 Tanh, 11 Elu, 12 Softplus, 13 Mish, 14 Exp, 15 Erf, 16
   * QuickGelu (x Sigmoid(alpha x)). NaN stays. Within 3e-7 relative and 2e-7 absolute. https://onnx.ai/onnx/operators/
   */
  f32_activate(n: number, x: number, y: number, kind: number, alpha: number, beta: number): void;
  /**
   * A function of f32[n], to 2e-7; `y` may be `x`. `op`: 0 Abs, 1 Neg, 2 Sqrt, 3 Reciprocal, 4 Floor, 5 Ceil, 6 Round (ties to even), 7 Sign
   * (NaN stays), 8 Log, and one element at a time 9 Sin, 10 Cos, 11 Tan, 12 Asin, 13 Acos, 14 Atan, 15 Sinh, 16 Cosh, 17 Asinh, 18 Acosh,
   * 19 Atanh.
   */
  f32_unary(n: number, x: number, y: number, op: number): void;
  /**
   * `y`, f32[n0, n1, n2, n3], of two operands whose strides are given axis by axis in elements, 0 where one repeats; `a3` and `b3` are 0 or 1.
   * Axes that repeat alike are best merged by the caller, and unused ones are 1. `op`: 0 Add, 1 Sub, 2 Mul, 3 Div, 4 Min, 5 Max (NaN wins),
   * 6 Pow, 7 PRelu (`b` is the slope). `y` may be an operand that does not repeat.
   */
  f32_binary(
    ...args: [
      ...[op: number, a: number, b: number, y: number, n0: number, n1: number, n2: number, n3: number],
      ...[a0: number, a1: number, a2: number, a3: number, b0: number, b1: number, b2: number, b3: number],
    ]
  ): void;
  /** Bytes of 0 and 1, with axes as `f32_binary` has them. `op`: 0 Equal, 1 Less, 2 LessOrEqual; the others by changing the operands' places. */
  f32_compare(
    ...args: [
      ...[op: number, a: number, b: number, y: number, n0: number, n1: number, n2: number, n3: number],
      ...[a0: number, a1: number, a2: number, a3: number, b0: number, b1: number, b2: number, b3: number],
    ]
  ): void;
  /** `c ? a : b` of elements of four bytes and conditions of one, with axes as `f32_binary` has them. */
  f32_where(
    ...args: [
      ...[c: number, a: number, b: number, y: number, n0: number, n1: number, n2: number, n3: number, c0: number, c1: number, c2: number],
      ...[c3: number, a0: number, a1: number, a2: number, a3: number, b0: number, b1: number, b2: number, b3: number],
    ]
  ): void;
  /** As `CompressKernels` has it. */
  f16_f32(n: number, x: number, y: number): void;
  /** As `CompressKernels` has it. */
  f32_f16(n: number, x: number, y: number): void;
  i64_f32(n: number, x: number, y: number): void;
  /** Cut towards 0; what int64 cannot hold, NaN too, is the least that it can, as on x86. */
  f32_i64(n: number, x: number, y: number): void;
  /** The low half. */
  i64_i32(n: number, x: number, y: number): void;
  i32_i64(n: number, x: number, y: number): void;
  i32_f32(n: number, x: number, y: number): void;
  /** Cut towards 0; what int32 cannot hold, NaN too, is the least that it can, as on x86. */
  f32_i32(n: number, x: number, y: number): void;
  /** From bool too. */
  u8_f32(n: number, x: number, y: number): void;
  i8_f32(n: number, x: number, y: number): void;
  /** `x != 0`; true for NaN. */
  f32_bool(n: number, x: number, y: number): void;
  /**
   * f32[outer, inner] of f32[outer, n, inner]. `op`: 0 Sum, 1 Mean, 2 Max, 3 Min (NaN wins), 4 Prod, 5 L1, 6 L2, 7 SumSquare, 8 LogSum, 9
   * LogSumExp. An empty sum is 0, Prod 1, Max -Infinity. Short blocks in float32, their totals in float64. A global pool has `n` pixels.
   */
  f32_reduce(op: number, outer: number, n: number, inner: number, x: number, y: number): void;
  /**
   * i64[outer, inner]: where along `n` ≥ 1 of f32[outer, n, inner] the greatest stands, or with `least` the least; the first of equals, or with
   * `last` the last. The first NaN wins (the last, with `last`).
   */
  f32_arg(least: number, last: number, outer: number, n: number, inner: number, x: number, y: number): void;
  /** Softmax along `n` of f32[outer, n, inner]. Results below 2^-126 are 0. `y` may be `x`. */
  f32_softmax(outer: number, n: number, inner: number, x: number, y: number): void;
  /** Its logarithm. */
  f32_log_softmax(outer: number, n: number, inner: number, x: number, y: number): void;
  /**
   * `(x - mean) / sqrt(variance + epsilon) * scale + bias` of each row of f32[rows, n]; `scale` and `bias` are f32[n], no bias where 0.
   * `centered` 0: the mean counts as 0 (RMSNormalization). `skip`, f32[rows, n] or 0, is added to x first, and the sum written to `total`
   * where that is not 0. `y` may be `x` or `skip`.
   */
  f32_layer_norm(
    ...args: [
      ...[rows: number, n: number, x: number, y: number, scale: number, bias: number, epsilon: number, centered: number],
      ...[skip: number, total: number],
    ]
  ): void;
  /**
   * Group normalization of an image of `n` pixels, f32[n, c]: mean and variance are those of each of `groups` ranges of c; with c groups
   * InstanceNormalization. `scale` and `bias` are f32[c], `work` is room for f32[2c]. `y` may be `x`.
   */
  f32_group_norm(
    ...args: [...[n: number, c: number, groups: number, x: number, y: number, scale: number, bias: number, epsilon: number, work: number]]
  ): void;
  /** `x * scale + bias` of f32[outer, c, inner] with f32[c] of each: a BatchNormalization. `y` may be `x`. */
  f32_affine(outer: number, c: number, inner: number, x: number, y: number, scale: number, bias: number): void;
  /**
   * Elements of x by strides, one after the other: Transpose, Slice (x is where it starts), Expand. `axes` is i32[2, rank], rank ≤ 6: sizes of
   * the result, then strides in x in elements, 0 where x repeats, negative backwards. `width` of an element: 1, 2, 4 or 8 bytes.
   */
  strided_copy(width: number, rank: number, axes: number, x: number, y: number): void;
  /** `rows` of `n` bytes, which lie `ldx` and `ldy` bytes apart: Concat, Split, the inside of Pad. */
  copy_2d(rows: number, n: number, x: number, ldx: number, y: number, ldy: number): void;
  f32_fill(n: number, y: number, value: number): void;
  /** Sets `n` bytes to the low byte of `value`. */
  u8_fill(n: number, y: number, value: number): void;
  /**
   * The rows of `n` bytes of x, [limit, n], that `count` indices name, int64 where `wide` is 1, else int32; negative ones count from the end.
   * Returns -1, or which index lies outside: what comes before it is written. https://onnx.ai/onnx/operators/onnx__Gather.html
   */
  gather_rows(count: number, n: number, x: number, indices: number, wide: number, y: number, limit: number): number;
  /**
   * The greatest of each window of an image, f32[h, w, c] to f32[oh, ow, c]; NaN wins, -Infinity where a window has no pixel. `top` and `left`
   * are how far the first window hangs over. A window as two calls, of its row and then of its column, gives the same. https://onnx.ai/onnx/operators/onnx__MaxPool.html
   */
  f32_max_pool(
    ...args: [
      ...[h: number, w: number, c: number, kh: number, kw: number, stride_h: number, stride_w: number, dilation_h: number],
      ...[dilation_w: number, top: number, left: number, oh: number, ow: number, x: number, y: number],
    ]
  ): void;
  /** The mean of each window, as `f32_max_pool`; with `include_pad` what lies in the padding, but not what lies behind it, counts as 0. */
  f32_average_pool(
    ...args: [
      ...[h: number, w: number, c: number, kh: number, kw: number, stride_h: number, stride_w: number, dilation_h: number],
      ...[dilation_w: number, top: number, left: number, bottom: number, right: number, oh: number, ow: number],
      ...[include_pad: number, x: number, y: number],
    ]
  ): void;
  /** Pixels of `n` bytes of an image `w` wide: pixel (i, j) is that at row `rows[i]`, i32[oh], and column `columns[j]`, i32[ow]. */
  resize_nearest(w: number, n: number, oh: number, ow: number, x: number, y: number, rows: number, columns: number): void;
  /**
   * f32[oh, ow, c] of an image f32[h, w, c]: each pixel is the sum over `taps_h` rows and `taps_w` columns, 2 for linear and 4 for cubic
   * interpolation. `rows` i32[oh, taps_h] and `row_weights` f32[oh, taps_h] say which and how much, `columns` and `column_weights` likewise.
   */
  f32_resize(
    ...args: [
      ...[w: number, c: number, oh: number, ow: number, taps_h: number, taps_w: number, x: number, y: number],
      ...[rows: number, row_weights: number, columns: number, column_weights: number],
    ]
  ): void;
  /**
   * One step of an LSTM of `n` cells after its products: `gates` is f32[4, n] in ONNX's order i, o, f, c with biases added, `peephole` f32[3, n]
   * in the order i, o, f or 0; `cell` is f32[n], the state before and after, `hidden` f32[n] the output. Sigmoid and Tanh.
   * https://onnx.ai/onnx/operators/onnx__LSTM.html
   */
  f32_lstm_cell(n: number, gates: number, peephole: number, cell: number, hidden: number): void;
  /** `Sigmoid(gate) * hidden` of f32[n]: what a GRU without `linear_before_reset` multiplies. */
  f32_gru_reset(n: number, gate: number, hidden: number, y: number): void;
  /**
   * One step of a GRU of `n` cells after its products: `gates` is f32[3, n] in ONNX's order z, r, h with biases added. With
   * `linear_before_reset` the product of the state and its bias are not added to the gate h but stand at `candidate`, f32[n]; else that is 0, and
   * r does not matter. `hidden` is the state before, `y` that after, and may be `hidden`. https://onnx.ai/onnx/operators/onnx__GRU.html
   */
  f32_gru_cell(n: number, gates: number, candidate: number, hidden: number, y: number): void;
}
