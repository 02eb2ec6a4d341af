/** Who runs models in the benchmarks, and how each is configured: on one thread, with its standard optimization unless its name says otherwise. */
import { openAsBlob } from "node:fs";
import { readFile } from "node:fs/promises";
import { load } from "../src/index.ts";
import { tensorsOf } from "../test/kit/calibrating.ts";
import type { Feeds, TensorValue } from "../test/kit/models/model.ts";
import { type Output, type Outputs, openNode, openWeb, type Runner } from "../test/kit/ort.ts";

export type Running = Pick<Runner, "run">;

/** test/kit/ort.ts opens onnxruntime's sessions with one thread; the WebAssembly one as a browser without threads has it. */
export const PEERS = {
  /** Which reads a model in ranges, and holds no file. */
  async edgeslim(path) {
    const loaded = await load(await openAsBlob(path));
    return { run: async (feeds) => outputsOf(await loaded.run(tensorsOf(feeds))) };
  },
  "onnxruntime-web": async (path) => openWeb(await readFile(path), { graphOptimizationLevel: "all" }),
  "onnxruntime-node": (path) => openNode(path, { graphOptimizationLevel: "all" }),
  /** Computes each operator as ONNX defines it. */
  "onnxruntime-node, not optimized": (path) => openNode(path, { graphOptimizationLevel: "disabled" }),
} satisfies Record<string, (path: string) => Promise<Running>>;

export type Peer = keyof typeof PEERS;

const outputsOf = (results: Awaited<ReturnType<Awaited<ReturnType<typeof load>>["run"]>>): Outputs =>
  Object.fromEntries(
    Object.entries(results).map(([name, { dtype, shape, data }]) => [name, { type: dtype, dims: shape, data: data as Output["data"] }]),
  );

const ARRAYS = { float32: Float32Array, int64: BigInt64Array, int32: Int32Array, int8: Int8Array, uint8: Uint8Array, bool: Uint8Array };

/** Feeds or outputs as a line of JSON, for another process. */
export const toLine = (values: Feeds | Outputs): string =>
  JSON.stringify(
    Object.entries(values).map(([name, { type, dims, data }]) => {
      const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
      return { name, type, dims, bytes };
    }),
  );

export function fromLine(line: string): Feeds {
  const values = JSON.parse(line) as { name: string; type: keyof typeof ARRAYS; dims: number[]; bytes: string }[];
  return Object.fromEntries(
    values.map(({ name, type, dims, bytes }) => {
      const array = ARRAYS[type];
      if (!array) throw new TypeError(`Cannot read '${name}' of type ${type}: expected one of ${Object.keys(ARRAYS).join(", ")}`);
      return [name, { type, dims, data: new array(Uint8Array.from(Buffer.from(bytes, "base64")).buffer) } satisfies TensorValue];
    }),
  );
}
