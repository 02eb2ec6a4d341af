/**
 * Edgeslim as a module: compresses ONNX and safetensors models as streams, in Node, Deno, Bun and browsers.
 * @example
 * import { compress } from "edgeslim";
 * const { readable, report } = compress(file, { quantize: "w8" });
 * await readable.pipeTo(destination);
 * console.log((await report).output.bytes);
 */
import { createEngine } from "./engine/engine.ts";
import { compressModules, inferModules } from "./kernels/wasm.ts";
import { createLoad } from "./runtime/load.ts";

export const load = createLoad(inferModules);
export const { compress, compressInto, inspect } = createEngine(compressModules, load);
export * from "./public.ts";
