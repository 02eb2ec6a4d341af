/** Small models of several files, as repositories of models hold them. */
import type { FolderInput, Source } from "../../src/index.ts";
import { encoder, mlp } from "./models.ts";
import { randomTensor, type Tensor, writeTensors } from "./safetensors.ts";

export const text = (content: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(content);
export const json = (value: unknown): Uint8Array<ArrayBuffer> => text(`${JSON.stringify(value, null, 2)}\n`);

/** What a folder's source holds. */
export const bytesOf = async (source: Source | undefined): Promise<Uint8Array> => {
  if (!source) throw new Error("The file is not there.");
  return source.read(0, source.size);
};
export const textOf = async (source: Source | undefined): Promise<string> => new TextDecoder().decode(await bytesOf(source));

/** Files beside a model that nobody but its users read. */
export const COMPANIONS = {
  "README.md": text("---\nlicense: mit\n---\r\nA model.\n"),
  "tokenizer.json": json({ model: { vocab: { a: 0 } } }),
  "tokenizer_config.json": text("{}"),
  "vocab.txt": text("a\nb"),
  "empty.txt": text(""),
};

/** A config as Python writes it: its numbers are not JavaScript's. */
export const CONFIG = `{
  "architectures": [
    "BertModel"
  ],
  "layer_norm_eps": 1e-12,
  "rope_theta": 10000.0,
  "big": 12345678901234567890,
  "torch_dtype": "float32",
  "name": "ü 1e-05 \\" 1.0"
}
`;

/** A folder that Transformers.js loads: an encoder and a part without a matrix of its own. */
export const webFolder = (): Record<string, Uint8Array<ArrayBuffer>> => ({
  ...COMPANIONS,
  "config.json": text(CONFIG),
  "onnx/model.onnx": encoder().bytes,
});

export const twoModels = (): Record<string, Uint8Array<ArrayBuffer>> => ({
  "encoder_model.onnx": encoder().bytes,
  "decoder_model_merged.onnx": mlp().bytes,
});

/** Which tensors stand in which shard: an attention whose parts depend on names in the other file. */
export const SHARDS: Record<string, Record<string, Tensor>> = {
  "model-00001-of-00002.safetensors": {
    "model.embed_tokens.weight": randomTensor([96, 64], 1),
    "model.layers.0.self_attn.q_proj.weight": randomTensor([64, 64], 2),
    "model.layers.0.input_layernorm.weight": randomTensor([64], 3),
  },
  "model-00002-of-00002.safetensors": {
    "model.layers.1.mlp.up_proj.weight": randomTensor([128, 64], 4),
    "model.layers.1.mlp.down_proj.weight": randomTensor([64, 128], 5),
    "model.norm.weight": randomTensor([64], 6),
  },
};

export const INDEX = "model.safetensors.index.json";

/** The index that belongs to shards. */
export const indexOf = (shards: Record<string, Record<string, Tensor>> = SHARDS): Record<string, string> =>
  Object.fromEntries(Object.entries(shards).flatMap(([file, tensors]) => Object.keys(tensors).map((name) => [name, file])));

/** A sharded language model. */
export const shardedFolder = (shards = SHARDS): Record<string, Uint8Array<ArrayBuffer>> => ({
  ...COMPANIONS,
  "config.json": text(CONFIG),
  ...Object.fromEntries(Object.entries(shards).map(([file, tensors]) => [file, writeTensors(tensors, { format: "pt" })])),
  [INDEX]: json({ metadata: { total_size: 0, total_parameters: 30848 }, weight_map: indexOf(shards) }),
});

/** The same tensors in one file. */
export const unshardedFolder = (): Record<string, Uint8Array<ArrayBuffer>> => ({
  "config.json": text(CONFIG),
  "model.safetensors": writeTensors(Object.assign({}, ...Object.values(SHARDS)), { format: "pt" }),
});

export type { FolderInput };
