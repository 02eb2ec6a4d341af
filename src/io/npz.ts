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
    return unzipSync(bytes, {
      filter({ name, originalSize }) {
        if (++count > MAX_NPZ_ARRAYS) throw new LimitError("MAX_NPZ_ARRAYS", `The archive holds more than ${MAX_NPZ_ARRAYS} files`);
        total += originalSize;
        if (total > limit) throw tooLarge(total, limit);
        return name.endsWith(".npy");
      },
    });
  } catch (error) {
    if (error instanceof LimitError) throw error;
    throw new FormatError(`The file is no .npz archive, or is damaged: ${(error as Error).message}`, { format: "npz" });
  }
}

const tooLarge = (bytes: number, limit: number): LimitError =>
  new LimitError("MAX_ARRAY_BYTES", `The archive's arrays have ${bytes} bytes or more, of ${limit}; save them as several files`);
