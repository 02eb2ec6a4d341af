/**
 * Kernels that multiply float32 matrices and images. Activations are row-major, images NHWC; counts are elements, `x`, `w`, `y` and the
 * like are addresses in bytes.
 */
// biome-ignore lint/complexity/noBannedTypes: the first is still to come
export type FloatKernels = {};
