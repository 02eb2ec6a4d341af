/** The module door where WebAssembly comes as modules of the deployment: Cloudflare Workers and other edge runtimes. */
import { createEngine } from "./engine/engine.ts";
import { compressModules } from "./kernels/wasm.workerd.ts";

export const { compress, compressInto, inspect } = createEngine(compressModules);
export * from "./public.ts";
