/** The module door where WebAssembly comes as modules of the deployment: Cloudflare Workers and other edge runtimes. */
import { createEngine } from "./engine/engine.ts";
import { compressModules, inferModules } from "./kernels/wasm.workerd.ts";
import { createLoad } from "./runtime/load.ts";

export const load = createLoad(inferModules);
export const { compress, compressInto, inspect } = createEngine(compressModules, load);
export * from "./public.ts";
