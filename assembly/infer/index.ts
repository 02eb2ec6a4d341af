// The kernels that run models. Arguments are counts and addresses in bytes; nothing is allocated: what lies above __heap_base is the caller's.

export { f32_clip } from "./clip";
export { f32_col2im } from "./col2im";
export { f32_conv } from "./conv";
export { f32_depthwise } from "./depthwise";
export { f32_gemm } from "./gemm";
export { f32_pack_b, f32_pack_bt, f32_pack_conv, f32_pack_conv_transpose, f32_pack_depthwise } from "./weights";

/** The first byte that the kernels leave alone. */
export { __heap_base };
