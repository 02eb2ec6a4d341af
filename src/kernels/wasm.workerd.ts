// Workers compile no bytes at run time: both variants come in as modules.
import relaxed from "../../build/compress.relaxed.wasm";
import simd from "../../build/compress.simd.wasm";
import type { WasmModules } from "./kernels.ts";

/** The compression kernels, as the deployment holds them. */
export async function compressModules(): Promise<WasmModules> {
  return { simd, relaxed };
}
