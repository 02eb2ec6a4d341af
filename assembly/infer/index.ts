// The kernels that run models. Arguments are counts and addresses in bytes; nothing is allocated: what lies above __heap_base is the caller's.

export { activate as f32_activate } from "./activation";

/** The first byte that the kernels leave alone. */
export { __heap_base };
