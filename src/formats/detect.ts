import { FormatError } from "../errors.ts";
import type { Reader } from "../io/reader.ts";

/** First bytes of files that people take for models. */
const KNOWN: readonly (readonly [magic: readonly number[], what: string])[] = [
  [[0x50, 0x4b, 0x03, 0x04], "a zip archive (a PyTorch checkpoint?); export it to ONNX or save it as safetensors"],
  ...[2, 3, 4, 5].map((protocol) => [[0x80, protocol], "a Python pickle; save it as safetensors"] as const),
  [[0x47, 0x47, 0x55, 0x46], "GGUF"],
  [[0x1f, 0x8b], "gzip; decompress it first"],
  [[0x89, 0x48, 0x44, 0x46], "HDF5 (Keras?); export it to ONNX"],
];

/** First bytes of a ModelProto: the tags of its fields, with the wire type each has. */
const ONNX_FIRST = new Set([0x08, 0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72, 0xa2, 0xca]);

/** Tells the format by the leading bytes, without consuming them. */
export async function detect(reader: Reader): Promise<"onnx" | "safetensors"> {
  const head = await reader.peek(9);
  if (head.byteLength === 0) throw new FormatError("The model is empty: expected an ONNX or safetensors file");
  // A header of less than 4 GiB; safetensors' own limit is 100 MB. ONNX cannot have four zero bytes there.
  const isJson = head[8] === 0x7b && (head[4] === 0 || !ONNX_FIRST.has(head[0] as number));
  if (isJson) return "safetensors";
  const known = KNOWN.find(([magic]) => magic.every((byte, i) => head[i] === byte));
  if (known) throw new FormatError(`The model is ${known[1]}; expected ONNX or safetensors`, { offset: 0 });
  if (ONNX_FIRST.has(head[0] as number)) return "onnx";
  const shown = Array.from(head, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  throw new FormatError(`The leading bytes (${shown}) are neither ONNX nor safetensors`, { offset: 0 });
}
