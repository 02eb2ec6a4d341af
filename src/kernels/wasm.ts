import type { WasmModules } from "./kernels.ts";
import { supportsRelaxed } from "./relaxed.ts";

// Literal URLs, so that bundlers see the files.
const SIMD = new URL("../../build/compress.simd.wasm", import.meta.url);
const RELAXED = new URL("../../build/compress.relaxed.wasm", import.meta.url);

/** Loads the one variant of the compression kernels that suits this runtime: from disk in Node, Deno and Bun, else over the network. */
export async function compressModules(): Promise<WasmModules> {
  return supportsRelaxed() ? { relaxed: await load(RELAXED) } : { simd: await load(SIMD) };
}

async function load(url: URL): Promise<WebAssembly.Module> {
  if (url.protocol !== "file:") return WebAssembly.compileStreaming(fetch(url));
  const { readFile } = await import("node:fs/promises");
  return WebAssembly.compile(await readFile(url));
}
