/** Kernels that multiply int8 and int4 matrices and images, and quantize around them. */
// biome-ignore lint/complexity/noBannedTypes: the first is still to come
export type IntegerKernels = {};
