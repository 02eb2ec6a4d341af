/**
 * Models of any size as streams of chunks, for benchmarks: nothing is held but one tensor and one chunk, and the exact size is known
 * before the first byte. All weights share one random tensor, read from another place for each layer, so making them costs a copy.
 */
import { DataType, encodeModel, graphFields, irVersionOf, node, opsetField, randn, tensor, value } from "./onnx.ts";
import { type Bytes, bytesOf, concat, intField, message, prefix, stringField } from "./wire.ts";

export interface BigModel {
  /** Bytes in all. */
  size: number;
  /** Number of weights. */
  tensors: number;
  /** The bytes, each time from the start; every chunk is `chunk_size` long but the last, and the caller's unless `reuse` is set. */
  chunks(): Generator<Uint8Array<ArrayBuffer>>;
}

const CHUNK_SIZE = 256 * 1024;

/** Places in the random data at which layers start, in elements: odd, so that no two layers look alike to a cache or a hash. */
const STRIDE = 997;

interface Chunking {
  /** Bytes of a chunk; 256 KiB unless said. */
  chunk_size?: number;
  /** Yields one buffer again and again, so that a measurement of memory sees none of this; each chunk is then lost at the next. */
  reuse?: boolean;
}

/** Cuts a sequence of parts, of any lengths, into chunks of one length. */
function* rechunk(parts: Iterable<Uint8Array>, { chunk_size: size = CHUNK_SIZE, reuse }: Chunking): Generator<Uint8Array<ArrayBuffer>> {
  let chunk = new Uint8Array(size);
  let filled = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length; ) {
      const count = Math.min(size - filled, part.length - at);
      chunk.set(part.subarray(at, at + count), filled);
      filled += count;
      at += count;
      if (filled < size) continue;
      yield chunk;
      if (!reuse) chunk = new Uint8Array(size);
      filled = 0;
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled);
}

const sum = (parts: readonly Uint8Array[]) => parts.reduce((total, part) => total + part.length, 0);

/** Views of `elements` floats, another one for each layer, all in one buffer. */
function weights(elements: number): (layer: number) => Uint8Array {
  const extra = Math.min(elements, 64 * STRIDE);
  const data = randn(elements + extra, 1, 0.05);
  return (layer) => bytesOf(data.subarray((layer * STRIDE) % (extra + 1)).subarray(0, elements));
}

/**
 * An ONNX model of y = Σ x × Wᵢ with as many f32 weights [`k`, `n`] as fit into `bytes` (at least one); x is [batch, k]. Nodes stand
 * before initializers and the opset after the graph, as exporters write. Above 2 GiB only a streaming reader can take it.
 */
export function bigOnnx(options: Chunking & { bytes: number; k?: number; n?: number; opset?: number }): BigModel {
  const { bytes, k = 1024, n = 1024, opset = 13 } = options;
  const tensors = Math.max(1, Math.floor(bytes / (k * n * 4)));
  const names = Array.from({ length: tensors }, (_, i) => `layers.${i}.weight`);
  const nodes = [
    ...names.map((name, i) => node("MatMul", ["x", name], [`h${i}`])),
    node(
      "Sum",
      names.map((_, i) => `h${i}`),
      ["y"],
    ),
  ];
  const graph = { nodes, inputs: [value("x", DataType.FLOAT, ["batch", k])], outputs: [value("y", DataType.FLOAT, ["batch", n])] };
  const fields = graphFields(graph);
  const nodesAndName = message(fields.filter(({ number }) => number <= 2));
  const inputsAndOutputs = message(fields.filter(({ number }) => number > 2));
  const length = k * n * 4;
  const headers = names.map((name) => {
    const head = message([intField(1, k), intField(1, n), intField(2, DataType.FLOAT), stringField(8, name)]);
    const raw = prefix(9, length);
    return concat([prefix(5, head.length + raw.length + length), head, raw]);
  });
  const graphLength = sum([nodesAndName, ...headers, inputsAndOutputs]) + tensors * length;
  const start = concat([message([intField(1, irVersionOf(opset)), stringField(2, "edgeslim-test")]), prefix(7, graphLength)]);
  const end = message([opsetField(["", opset])]);
  const data = weights(k * n);
  function* parts(): Generator<Uint8Array> {
    yield start;
    yield nodesAndName;
    for (const [i, header] of headers.entries()) {
      yield header;
      yield data(i);
    }
    yield inputsAndOutputs;
    yield end;
  }
  return { size: start.length + graphLength + end.length, tensors, chunks: () => rechunk(parts(), options) };
}

/**
 * The same model as {@link bigOnnx} with its weights in one file beside it, `location`: `bytes` is what they take. The model's own file is
 * small; `chunks` are the other's.
 */
export function bigExternalOnnx(
  options: Chunking & { bytes: number; location: string; k?: number; n?: number },
): BigModel & { model: Bytes } {
  const { bytes, location, k = 4096, n = 4096 } = options;
  const length = k * n * 4;
  const tensors = Math.max(1, Math.floor(bytes / length));
  const names = Array.from({ length: tensors }, (_, i) => `layers.${i}.weight`);
  const products = names.map((name, i) => node("MatMul", ["x", name], [`h${i}`]));
  const sum = node(
    "Sum",
    names.map((_, i) => `h${i}`),
    ["y"],
  );
  const model = encodeModel({
    graph: {
      nodes: [...products, sum],
      initializers: names.map((name, i) =>
        tensor(name, DataType.FLOAT, [k, n], new Float32Array(0), { external: { location, offset: i * length, length } }),
      ),
      inputs: [value("x", DataType.FLOAT, ["batch", k])],
      outputs: [value("y", DataType.FLOAT, ["batch", n])],
    },
    opsets: { "": 13 },
  });
  const data = weights(k * n);
  function* parts(): Generator<Uint8Array> {
    for (let i = 0; i < tensors; i++) yield data(i);
  }
  return { model, size: tensors * length, tensors, chunks: () => rechunk(parts(), options) };
}

/** A safetensors file of as many F32 weights [`rows`, `cols`] as fit into `bytes` (at least one), named like a transformer's. */
export function bigSafetensors(options: Chunking & { bytes: number; rows?: number; cols?: number }): BigModel {
  const { bytes, rows = 1024, cols = 1024 } = options;
  const length = rows * cols * 4;
  const tensors = Math.max(1, Math.floor(bytes / length));
  const entries = Array.from({ length: tensors }, (_, i) => [
    `model.layers.${i}.mlp.weight`,
    { dtype: "F32", shape: [rows, cols], data_offsets: [i * length, (i + 1) * length] },
  ]);
  const json = JSON.stringify(Object.fromEntries([["__metadata__", { format: "pt" }], ...entries]));
  // Spaces bring the data to a multiple of 8, as the format's own writer does.
  const header = new TextEncoder().encode(json.padEnd(Math.ceil(json.length / 8) * 8));
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(header.length), true);
  const data = weights(rows * cols);
  function* parts(): Generator<Uint8Array> {
    yield prefix;
    yield header;
    for (let i = 0; i < tensors; i++) yield data(i);
  }
  return { size: 8 + header.length + tensors * length, tensors, chunks: () => rechunk(parts(), options) };
}
