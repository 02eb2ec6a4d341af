// The kernels that run models. Arguments are counts and addresses in bytes; nothing is allocated: what lies above __heap_base is the caller's.

export { activate as f32_activate } from "./activation";
export { f16_f32, f32_f16 } from "../compress/half";
export { f32_arg } from "./arg";
export { f32_binary } from "./binary";
export { f32_bool, f32_i32, f32_i64, i32_f32, i32_i64, i64_f32, i64_i32, i8_f32, u8_f32 } from "./cast";
export { f32_compare, f32_where } from "./compare";
export { copy_2d, f32_fill, gather_rows, strided_copy, u8_fill } from "./copy";
export { f32_average_pool, f32_max_pool } from "./pool";
export { f32_gru_cell, f32_gru_reset, f32_lstm_cell } from "./recurrent";
export { f32_resize, resize_nearest } from "./resize";
export { f32_reduce } from "./reduce";
export { f32_affine, f32_group_norm, f32_layer_norm } from "./norm";
export { f32_log_softmax, f32_softmax } from "./softmax";
export { f32_unary } from "./unary";
export { f32_col2im } from "./col2im";
export { f32_conv } from "./conv";
export { f32_depthwise } from "./depthwise";
export { f32_gemm } from "./gemm";
export { f32_winograd_conv } from "./winograd";
export { f32_winograd_pack } from "./winograd_transform";
export { nf4_f32 } from "../compress/nf4";
export { f32_qa8_channels, qa8_f32_channels } from "../compress/affine8";
export { q8_depthwise, q8_pack_depthwise } from "./q8_depthwise";
export { q8_average_pool, q8_max_pool } from "./q8_pool";
export { f32_dynamic_quantize, q8_add, q8_lookup, q8_mul } from "./q8_vector";
export { f32_pack_b, f32_pack_bt, f32_pack_conv, f32_pack_conv_transpose, f32_pack_depthwise } from "./weights";
export { q8_conv, q8_gemm } from "./q8_gemm";
export { q8_winograd_conv, q8_winograd_fits, q8_winograd_pack } from "./q8_winograd";
export { f32_qbw_gemm } from "./qbw";
export { qbw_pack } from "./qbw_weights";
export { q8_is_narrow, q8_pack } from "./q8_weights";
export { sparse_pack } from "./sparse";

/** The first byte that the kernels leave alone. */
export { __heap_base };
