import { FormatError, LimitError } from "../../errors.ts";
import type { Reader } from "../../io/reader.ts";
import { BITS, byteLength, type DType, elements, type TensorInfo } from "../../tensor.ts";

/** https://huggingface.co/docs/safetensors: u64 length, JSON header, data. */
const DTYPES: Readonly<Record<string, DType>> = {
  BOOL: "bool",
  F4: "float4e2m1",
  F6_E2M3: "float6e2m3",
  F6_E3M2: "float6e3m2",
  U8: "uint8",
  I8: "int8",
  F8_E5M2: "float8e5m2",
  F8_E4M3: "float8e4m3fn",
  F8_E8M0: "float8e8m0",
  I16: "int16",
  U16: "uint16",
  F16: "float16",
  BF16: "bfloat16",
  I32: "int32",
  U32: "uint32",
  F32: "float32",
  C64: "complex64",
  F64: "float64",
  I64: "int64",
  U64: "uint64",
};
const WORDS = new Map(Object.entries(DTYPES).map(([word, dtype]) => [dtype, word]));

/** The format's own limit. */
const MAX_HEADER_FORMAT = 100_000_000;
/** What is parsed here: a header takes some 100 bytes a tensor, and parsing takes several times its size. */
export const MAX_HEADER_BYTES = 8 << 20;

export interface Entry extends TensorInfo {
  /** Where its bytes start in the data section. */
  offset: number;
  bytes: number;
}

export interface Header {
  /** In the order of their data. */
  tensors: Entry[];
  metadata: Record<string, string>;
  /** Where the data section starts in the file. */
  dataOffset: number;
  dataBytes: number;
}

const bad = (what: string, offset: number, tensor?: string): FormatError =>
  new FormatError(what, { offset, format: "safetensors", ...(tensor === undefined ? {} : { tensor }) });

/** Reads and checks a header: names once, types known, sizes right, data contiguous and without holes. */
export async function readHeader(reader: Reader): Promise<Header> {
  reader.format = "safetensors file";
  const prefix = await reader.take(8, "the header's length");
  const length = Number(new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true));
  if (length > MAX_HEADER_FORMAT) throw bad(`The header claims ${length} bytes; safetensors allows ${MAX_HEADER_FORMAT}`, 0);
  if (length > MAX_HEADER_BYTES)
    throw new LimitError(
      "MAX_HEADER_BYTES",
      `The header takes ${length} bytes, more than ${MAX_HEADER_BYTES}; split the model into shards`,
    );
  if (reader.size !== undefined && 8 + length > reader.size)
    throw bad(`The header claims ${length} bytes, the file holds ${reader.size - 8} after the length`, 0);
  const json = await reader.take(length, "the header");
  const parsed = parseJson(json);
  const { __metadata__: meta, ...entries } = Object.fromEntries(parsed);
  const metadata = checkMetadata(meta);
  const tensors = Object.entries(entries).map(([name, value]) => entry(name, value));
  tensors.sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);
  let end = 0;
  for (const { name, offset, bytes } of tensors) {
    if (offset !== end)
      throw bad(
        `Tensor '${name}' starts at data byte ${offset}, ${offset < end ? "inside the one before it" : "after a hole"}; expected ${end}`,
        8 + length + offset,
        name,
      );
    end = offset + bytes;
  }
  const dataOffset = 8 + length;
  if (reader.size !== undefined && reader.size !== dataOffset + end) {
    throw bad(`The tensors take ${end} bytes of data, the file holds ${reader.size - dataOffset}`, Math.min(reader.size, dataOffset + end));
  }
  return { tensors, metadata, dataOffset, dataBytes: end };
}

/** JSON.parse keeps the last of two equal keys, so keys are counted in the text as well. */
function parseJson(bytes: Uint8Array): [string, unknown][] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw bad(`The header is not JSON: ${cause instanceof Error ? cause.message : cause}`, 8);
  }
  if (bytes[0] !== 0x7b || typeof parsed !== "object" || parsed === null) throw bad("The header does not start with {", 8);
  const entries = Object.entries(parsed);
  const counts = countKeys(bytes);
  const inner = entries.reduce(
    (n, [, value]) => n + (typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value).length : 0),
    0,
  );
  if (counts[1] !== entries.length || counts[2] !== inner) throw bad("The header names a key twice", 8);
  return entries;
}

/** Number of keys (colons outside strings) at each depth of nested objects. */
function countKeys(bytes: Uint8Array): number[] {
  const counts: number[] = [0, 0, 0];
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < bytes.byteLength; i++) {
    const byte = bytes[i];
    if (quoted) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) quoted = false;
    } else if (byte === 0x22) quoted = true;
    else if (byte === 0x7b) depth++;
    else if (byte === 0x7d) depth--;
    else if (byte === 0x3a) counts[depth] = (counts[depth] ?? 0) + 1;
  }
  return counts;
}

function checkMetadata(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (typeof value !== "object" || value === null || Array.isArray(value) || Object.values(value).some((v) => typeof v !== "string"))
    throw bad("__metadata__ must map strings to strings", 8);
  return value as Record<string, string>;
}

function entry(name: string, value: unknown): Entry {
  if (typeof value !== "object" || value === null) throw bad(`Tensor '${name}' has no description`, 8, name);
  const { dtype: word, shape, data_offsets, ...rest } = value as Record<string, unknown>;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw bad(`Tensor '${name}' has the unknown key '${unknown}'`, 8, name);
  const dtype = typeof word === "string" && Object.hasOwn(DTYPES, word) ? DTYPES[word] : undefined;
  if (!dtype)
    throw bad(
      `Tensor '${name}' has dtype ${typeof word === "string" ? JSON.stringify(word) : typeof word}, expected one of ${Object.keys(DTYPES).join(", ")}`,
      8,
      name,
    );
  const isSize = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
  if (!Array.isArray(shape) || !shape.every(isSize)) throw bad(`Tensor '${name}' has a shape that is not a list of sizes`, 8, name);
  if (!Array.isArray(data_offsets) || data_offsets.length !== 2 || !data_offsets.every(isSize))
    throw bad(`Tensor '${name}' has data_offsets that are not two positions`, 8, name);
  const [begin, end] = data_offsets as [number, number];
  if (!Number.isSafeInteger(elements(shape) * 64))
    throw bad(`Tensor '${name}' has shape [${shape}], more elements than can be counted`, 8, name);
  if ((elements(shape) * BITS[dtype]) % 8 !== 0)
    throw bad(`Tensor '${name}' has ${elements(shape)} elements of ${BITS[dtype]} bits, which do not fill whole bytes`, 8, name);
  const bytes = byteLength(dtype, shape);
  if (end - begin !== bytes) throw bad(`Tensor '${name}' spans ${end - begin} bytes; ${word}[${shape}] takes ${bytes}`, 8, name);
  return { name, dtype, shape: shape as number[], offset: begin, bytes };
}

/** A header for tensors in the order given, padded with spaces to a multiple of 8 bytes. */
export function writeHeader(tensors: readonly TensorInfo[], metadata: Record<string, string>): Uint8Array {
  let at = 0;
  const described = tensors.map(({ name, dtype, shape }): [string, unknown] => {
    const begin = at;
    at += byteLength(dtype, shape);
    return [name, { dtype: WORDS.get(dtype), shape, data_offsets: [begin, at] }];
  });
  const body = Object.fromEntries([...(Object.keys(metadata).length > 0 ? [["__metadata__", metadata]] : []), ...described]) as object;
  const json = new TextEncoder().encode(JSON.stringify(body));
  const padded = Math.ceil(json.byteLength / 8) * 8;
  const bytes = new Uint8Array(8 + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, 8);
  return bytes;
}
