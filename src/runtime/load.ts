import { UnsupportedError } from "../errors.ts";
import { type FindSibling, Siblings } from "../formats/onnx/siblings.ts";
import { abortableSource } from "../io/abort.ts";
import { blobSource, isSource, memorySource, type Source } from "../io/source.ts";
import type { InferKernels } from "../kernels/infer/kernels.ts";
import { compiledOnce, Kernels, MAX_ARENA, type WasmModules } from "../kernels/kernels.ts";
import { InferenceModel } from "./model.ts";
import { type PrepareOptions, prepare } from "./prepare.ts";
import { Program } from "./program.ts";

export interface LoadOptions extends PrepareOptions {
  /** Memory that the model and its runs may take, in bytes; 2 GiB unless said. Beyond, a LimitError tells. */
  maxBytes?: number | undefined;
  /** Finds the files that hold the model's external data. */
  findSibling?: FindSibling | undefined;
  signal?: AbortSignal | undefined;
}

/** Anything that can be read again. */
export type LoadSource = Source | Blob | Uint8Array | ArrayBuffer;

/** Loads an ONNX model, ready to run. */
export type Load = (source: LoadSource, options?: LoadOptions) => Promise<InferenceModel>;

/** `load` over a build of the kernels. */
export function createLoad(modules: () => Promise<WasmModules>): Load {
  const compile = compiledOnce(modules);
  return async (source, { maxBytes = MAX_ARENA, findSibling, signal, ...options } = {}) => {
    const readable = readableOf(source);
    const prepared = await prepare(abortableSource(readable, signal), new Siblings(findSibling, signal), options);
    const kernels = Kernels.instantiate<InferKernels>(await compile(), maxBytes);
    return new InferenceModel(await Program.load(prepared, kernels, maxBytes));
  };
}

function readableOf(source: LoadSource): Source {
  if (source instanceof Uint8Array) return memorySource(source);
  if (source instanceof ArrayBuffer) return memorySource(new Uint8Array(source));
  if (isSource(source)) return source;
  if (source instanceof Blob) return blobSource(source);
  const given = typeof source === "object" && source !== null ? Object.getPrototypeOf(source)?.constructor?.name : typeof source;
  const what = `A model is loaded from bytes that can be read again: a Uint8Array, ArrayBuffer, Blob or Source; given: ${given}`;
  throw new UnsupportedError(`${what}. Read a file or stream first, or open it as a Blob`);
}
