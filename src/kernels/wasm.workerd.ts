// Workers compile no bytes at run time: both variants come in as modules.
import compress_relaxed from "../../build/compress.relaxed.wasm";
import compress_simd from "../../build/compress.simd.wasm";
import infer_relaxed from "../../build/infer.relaxed.wasm";
import infer_simd from "../../build/infer.simd.wasm";
import type { WasmModules } from "./kernels.ts";

/** The compression kernels, as the deployment holds them. */
export async function compressModules(): Promise<WasmModules> {
  return { simd: compress_simd, relaxed: compress_relaxed };
}

/** The inference kernels. */
export async function inferModules(): Promise<WasmModules> {
  return { simd: infer_simd, relaxed: infer_relaxed };
}
