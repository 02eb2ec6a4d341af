import type { WasmModules } from "./kernels.ts";
import { supportsRelaxed } from "./relaxed.ts";

// Literal URLs, so that bundlers see the files.
const COMPRESS = {
  simd: new URL("../../build/compress.simd.wasm", import.meta.url),
  relaxed: new URL("../../build/compress.relaxed.wasm", import.meta.url),
};
const INFER = {
  simd: new URL("../../build/infer.simd.wasm", import.meta.url),
  relaxed: new URL("../../build/infer.relaxed.wasm", import.meta.url),
};

/** Loads the one variant of the compression kernels that suits this runtime: from disk in Node, Deno and Bun, else over the network. */
export const compressModules = (): Promise<WasmModules> => suited(COMPRESS);

/** As {@link compressModules}, of the inference kernels. */
export const inferModules = (): Promise<WasmModules> => suited(INFER);

const suited = async (urls: typeof COMPRESS): Promise<WasmModules> =>
  supportsRelaxed() ? { relaxed: await load(urls.relaxed) } : { simd: await load(urls.simd) };

async function load(url: URL): Promise<WebAssembly.Module> {
  if (url.protocol !== "file:") return WebAssembly.compileStreaming(fetch(url));
  const { readFile } = await import("node:fs/promises");
  return WebAssembly.compile(await readFile(url));
}
