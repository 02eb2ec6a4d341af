import type { Port } from "../runtime/ports.ts";
import { openSamples, type Samples } from "../runtime/samples.ts";
import { openFiles } from "./models.ts";
import type { Limits, Store } from "./ports.ts";
import { HttpProblem } from "./problem.ts";

export interface StoredSamples {
  /** Opens them for a model that takes these inputs. */
  open(inputs: readonly Port[]): Promise<Samples>;
  close(): Promise<void>;
}

/** Samples of the store, until `close`. @throws {HttpProblem} 404 where there are none of that name. */
export async function storedSamples(store: Store, name: string, { MAX_INFER_BYTES }: Limits): Promise<StoredSamples> {
  const { files, close } = await openFiles(store, "data", name);
  if (Object.keys(files).length > 0)
    return { open: (inputs) => openSamples(new Map(Object.entries(files)), inputs, MAX_INFER_BYTES), close };
  await close();
  throw new HttpProblem(404, `There is no data '${name}'; PUT .npy or .npz files to /v1/data/${name}/FILE`);
}
