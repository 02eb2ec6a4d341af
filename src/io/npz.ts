import { unzipSync } from "fflate/browser"; // the same in every runtime: the entry for Node brings worker threads
import { FormatError, LimitError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import { MAX_ARRAY_BYTES, readNpy } from "./npy.ts";
import type { Source } from "./source.ts";

/** Arrays of an archive, at most: inputs of a model are few. */
const MAX_NPZ_ARRAYS = 1000;

/**
 * The arrays of a .npz by their names, as `np.savez` and `np.savez_compressed` write them.
 * @throws {FormatError} where archive or arrays are broken, {LimitError} where file or contents have more than `limit` bytes.
 */
export async function readNpz(source: Source, limit: number = MAX_ARRAY_BYTES): Promise<Record<string, Tensor>> {
  if (source.size > limit) throw tooLarge(source.size, limit);
  const files = unzipped(await source.read(0, source.size), limit);
  const arrays: Record<string, Tensor> = {};
  for (const [file, bytes] of Object.entries(files)) {
    const name = file.replace(/\.npy$/, "");
    const tensor = await readNpy(bytes).catch((error: unknown) => {
      if (error instanceof Error) error.message = `'${file}' in the archive: ${error.message}`;
      throw error;
    });
    Object.defineProperty(arrays, name, { value: tensor, enumerable: true });
  }
  return arrays;
}

/** The files of an archive. What each unpacks to is bounded by what the archive says of it, before it is unpacked. */
function unzipped(bytes: Uint8Array, limit: number): Record<string, Uint8Array> {
  let count = 0;
  let total = 0;
  try {
    const files = unzipSync(bytes, {
      filter({ name, originalSize }) {
        if (++count > MAX_NPZ_ARRAYS) throw new LimitError("MAX_NPZ_ARRAYS", `The archive holds more than ${MAX_NPZ_ARRAYS} files`);
        total += originalSize;
        if (total > limit) throw tooLarge(total, limit);
        return name.endsWith(".npy");
      },
    });
    for (const [name, sum] of checksums(bytes)) {
      const file = Object.hasOwn(files, name) ? files[name] : undefined;
      if (file && crc32(file) !== sum) throw new RangeError(`the checksum of '${name}' is another; copy or save it again`);
    }
    return files;
  } catch (error) {
    if (error instanceof LimitError) throw error;
    throw new FormatError(`The file is no .npz archive, or is damaged: ${(error as Error).message}`, { format: "npz" });
  }
}

const DIRECTORY_END = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;

/** The CRC-32 of each file, as the archive's directory has it: the library that unpacks does not look. PKWARE's APPNOTE, 4.3.12 and 4.3.16. */
function* checksums(bytes: Uint8Array): Generator<[name: string, sum: number]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.byteLength - 22;
  while (end >= 0 && view.getUint32(end, true) !== DIRECTORY_END) end--;
  if (end < 0) return;
  for (let at = view.getUint32(end + 16, true); at + 46 <= end && view.getUint32(at, true) === DIRECTORY_ENTRY; ) {
    const [name, extra, comment] = [28, 30, 32].map((field) => view.getUint16(at + field, true)) as [number, number, number];
    yield [new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + name)), view.getUint32(at + 16, true)];
    at += 46 + name + extra + comment;
  }
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

/** https://www.w3.org/TR/png-3/#D-CRCAppendix */
function crc32(bytes: Uint8Array): number {
  let sum = -1;
  for (const byte of bytes) sum = (CRC_TABLE[(sum ^ byte) & 255] as number) ^ (sum >>> 8);
  return ~sum >>> 0;
}

const tooLarge = (bytes: number, limit: number): LimitError =>
  new LimitError("MAX_ARRAY_BYTES", `The archive's arrays have ${bytes} bytes or more, of ${limit}; save them as several files`);
