/** Files that are no model. */
import { gzipSync } from "node:zlib";
import { rng } from "../kit/random.ts";
import type { Fixture } from "./make-fixtures.ts";

const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const start = (...bytes: number[]): Uint8Array => Uint8Array.from([...bytes, ...new Uint8Array(64)]);
const random = rng(99);
const other = (name: string, bytes: Uint8Array, says: RegExp): Fixture => ({ name: `not-${name}`, bytes, error: "FormatError", says });

export const otherFixtures: Fixture[] = [
  other("empty", new Uint8Array(0), /empty/),
  other("one-byte", Uint8Array.of(8), /middle of a varint/),
  other("zip", start(0x50, 0x4b, 3, 4), /zip archive/),
  other("pickle-2", start(0x80, 2), /pickle/),
  other("pickle-3", start(0x80, 3), /pickle/),
  other("pickle-4", start(0x80, 4), /pickle/),
  other("pickle-5", start(0x80, 5), /pickle/),
  other("gguf", text("GGUF\x03\x00\x00\x00and so on"), /GGUF/),
  other("gzip", gzipSync(text("a model")), /gzip/),
  other("hdf5", start(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a), /HDF5/),
  other("png", start(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a), /neither ONNX nor safetensors/),
  other("html", text("<!DOCTYPE html><title>404</title>"), /neither ONNX nor safetensors/),
  other("json", text('{"error": "not found"}'), /neither ONNX nor safetensors/),
  other("git-lfs-pointer", text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"), /neither ONNX nor safetensors/),
  other("zeros", new Uint8Array(512), /neither ONNX nor safetensors/),
  other(
    "random",
    Uint8Array.from({ length: 512 }, () => 0xc0 + Math.floor(random() * 10)),
    /neither ONNX nor safetensors|varint|ONNX/,
  ),
];
