/** Kernels that go over float32 tensors: elementwise, reductions, normalizations, transposition, pooling, resizing. */
export interface VectorKernels {
  /**
   * Applies an activation to f32[n]; `y` may be `x`. `kind`: 0 none, 1 Relu, 2 Clip to [alpha, beta], 3 Sigmoid, 4 SiLU, 5 HardSigmoid, 6
   * HardSwish (x HardSigmoid(x)), 7 LeakyRelu, 8 Gelu (erf), 9 Gelu (tanh), 10 Tanh, 11 Elu, 12 Softplus, 13 Mish, 14 Exp, 15 Erf, 16
   * QuickGelu (x Sigmoid(alpha x)). NaN stays. Within 3e-7 relative and 2e-7 absolute. https://onnx.ai/onnx/operators/
   */
  f32_activate(n: number, x: number, y: number, kind: number, alpha: number, beta: number): void;
}
