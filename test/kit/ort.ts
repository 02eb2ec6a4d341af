/**
 * The judge: onnxruntime runs what the product writes. `node` is the native CPU library, `web` the WebAssembly one that browsers
 * load, here in Node with one thread. Both run with their standard graph optimization, unless a test
 * hands in {@link EXACT} or other session options.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { InferenceSession, Tensor } from "onnxruntime-common";
import type { Feeds, TensorValue } from "./models/model.ts";

export { sqnr } from "./reference.ts";

export interface Output {
  type: string;
  dims: readonly number[];
  data: Float32Array | Float64Array | Uint16Array | BigInt64Array | Int32Array | Int8Array | Uint8Array;
}

export type Outputs = Record<string, Output>;

export interface Runner extends AsyncDisposable {
  inputNames: readonly string[];
  outputNames: readonly string[];
  run(feeds: Feeds): Promise<Outputs>;
  /** Frees the session; {@link AsyncDisposable} does the same at the end of an `await using` block. */
  release(): Promise<void>;
}

/** What is used of either package; their types are the same but for this. */
interface Runtime {
  InferenceSession: { create(model: Uint8Array | string, options: InferenceSession.SessionOptions): Promise<InferenceSession> };
  Tensor: typeof Tensor;
}

const require = createRequire(import.meta.url);

const OPTIONS: InferenceSession.SessionOptions = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 4 };

/**
 * onnxruntime-node turns DequantizeLinear (int8, axis 1) → MatMul or Gemm into its own MatMulNBits, which quantizes the *activations*
 * too and costs about 45 dB. With this option it keeps them in f32, so that a test measures the weights alone.
 */
export const EXACT: InferenceSession.SessionOptions = { extra: { session: { qdq_matmulnbits_accuracy_level: "0" } } };

function toTensor(runtime: Runtime, { type, data, dims }: TensorValue): Tensor {
  // Node 24 has Float16Array, and onnxruntime then takes nothing else for float16.
  const half = type === "float16" && "Float16Array" in globalThis;
  const elements = half ? new globalThis.Float16Array(data.buffer as ArrayBuffer, data.byteOffset, data.length) : data;
  return new runtime.Tensor(type, elements as Float32Array, dims);
}

function toOutput({ type, dims, data }: Tensor): Output {
  const elements = data as Output["data"];
  if (type !== "float16") return { type, dims, data: elements };
  return { type, dims, data: new Uint16Array(elements.buffer as ArrayBuffer, elements.byteOffset, elements.length) };
}

async function open(runtime: Runtime, model: Uint8Array | string, options: InferenceSession.SessionOptions): Promise<Runner> {
  const session = await runtime.InferenceSession.create(model, { ...OPTIONS, ...options });
  const release = () => session.release();
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    release,
    [Symbol.asyncDispose]: release,
    async run(feeds) {
      const tensors = Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, toTensor(runtime, feed)]));
      const results = await session.run(tensors);
      return Object.fromEntries(Object.entries(results).map(([name, result]) => [name, toOutput(result)]));
    },
  };
}

/** A session of onnxruntime-node; release it. A path finds external data beside it. */
export async function openNode(model: Uint8Array | string, options: InferenceSession.SessionOptions = {}): Promise<Runner> {
  const runtime = require("onnxruntime-node") as Runtime;
  return open(runtime, model, options);
}

/** A session of onnxruntime-web's WebAssembly; release it. */
export async function openWeb(model: Uint8Array, options: InferenceSession.SessionOptions = {}): Promise<Runner> {
  const runtime = await import("onnxruntime-web");
  // Before the first session only; the paths are said because a bundler may have moved the script away from its binary.
  runtime.env.wasm.numThreads = 1;
  runtime.env.wasm.wasmPaths ??= pathToFileURL(join(dirname(require.resolve("onnxruntime-web")), "/")).href;
  return open(runtime as unknown as Runtime, model, { executionProviders: ["wasm"], ...options });
}

/** Runs a model once in onnxruntime-node. */
export async function runNode(model: Uint8Array, feeds: Feeds, options: InferenceSession.SessionOptions = {}): Promise<Outputs> {
  await using runner = await openNode(model, options);
  return await runner.run(feeds);
}

/** Runs a model once in onnxruntime-web. */
export async function runWeb(model: Uint8Array, feeds: Feeds, options: InferenceSession.SessionOptions = {}): Promise<Outputs> {
  await using runner = await openWeb(model, options);
  return await runner.run(feeds);
}
