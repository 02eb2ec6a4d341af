// The kernels of the streaming path. Arguments are counts and addresses in bytes; an address need not be aligned, a count may be 0, and an
// output may not overlap an input, unless a kernel says that it may be one. Floats are little-endian. Nothing is allocated: what lies above
// __heap_base is the caller's.
export { f32_absmax, f32_absmax_channels, f32_minmax_channels } from "./reduce";
export { f32_qb8w_rows, f32_qc8w_channels, f32_qc8w_rows, f32_qs8_quantize, qc8w_scales } from "./int8";
export { f32_qa8_channels, qa8_error_channels } from "./affine8";
export { f32_qb4w_rows } from "./int4_rows";
export { f32_qb4w_transpose } from "./int4_transpose";
export { f32_dots, f64_less_dots } from "./matrix";
export { f32_nf4, nf4_f32 } from "./nf4";
export { f32_transpose } from "./transpose";
export { bf16_f32, f16_f32, f32_bf16, f32_f16 } from "./half";
export { f64_bf16, f64_f16, f64_f32 } from "./f64";
export { f32_error, qb8w_error_rows, qc8w_error_channels } from "./error";
export { qb4w_error_rows, qb4w_error_transpose } from "./error4";
export { f32_count_below, f32_count_nonzero, f32_key_counts } from "./keys";
export { f32_mask, f32_mask_by } from "./mask";
export { f32_l1_channels, f32_l2_channels, f32_scores_wanda } from "./norms";
export { f32_nm } from "./nm";
export { f32_block_l2, f32_block_mask } from "./blocks";
export { compact } from "./compact";

/** Copies `n` bytes from `x` to `y`: the yardstick of the benchmarks. */
export function memory_copy(n: i32, x: usize, y: usize): void {
  memory.copy(y, x, n);
}

/** The first byte that the kernels leave alone. */
export { __heap_base };
