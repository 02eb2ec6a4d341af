// The kernels that run models. Arguments are counts and addresses in bytes; nothing is allocated: what lies above __heap_base is the caller's.

export { activate as f32_activate } from "./activation";
export { f16_f32, f32_f16 } from "../compress/half";
export { f32_binary } from "./binary";
export { f32_bool, f32_i32, f32_i64, f32_i8, f32_u8, i32_f32, i32_i64, i64_f32, i64_i32, i8_f32, u8_f32 } from "./cast";
export { f32_compare, f32_where } from "./compare";
export { f32_unary } from "./unary";
export { f32_col2im } from "./col2im";
export { f32_conv } from "./conv";
export { f32_depthwise } from "./depthwise";
export { f32_gemm } from "./gemm";
export { f32_winograd_conv } from "./winograd";
export { f32_winograd_pack } from "./winograd_transform";
export { f32_pack_b, f32_pack_bt, f32_pack_conv, f32_pack_conv_transpose, f32_pack_depthwise } from "./weights";
export { q8_conv, q8_gemm } from "./q8_gemm";
export { q8_is_narrow, q8_pack } from "./q8_weights";

/** The first byte that the kernels leave alone. */
export { __heap_base };
