// Workers compile no bytes at run time: the kernels come in as modules, one build of each, since an upload has its limit. V8 has relaxed SIMD
// since 11.4, and every workerd that runs this has a later one; compression gains nothing by it.
import compress from "../../build/compress.simd.wasm";
import infer from "../../build/infer.relaxed.wasm";
import type { WasmModules } from "./kernels.ts";

/** The compression kernels, as the deployment holds them. */
export async function compressModules(): Promise<WasmModules> {
  return { simd: compress };
}

/** The inference kernels. */
export async function inferModules(): Promise<WasmModules> {
  return { relaxed: infer };
}
