/** Kernels that go over float32 tensors: elementwise, reductions, normalizations, transposition, pooling, resizing. */
export interface VectorKernels {
  /** `min(max(x, low), high)` of f32[n]; NaN stays. `y` may be `x`. https://onnx.ai/onnx/operators/onnx__Clip.html */
  f32_clip(n: number, x: number, y: number, low: number, high: number): void;
}
