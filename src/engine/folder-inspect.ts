import { type Folder, siblingName } from "../io/folder.ts";
import type { Source } from "../io/source.ts";
import { inFile } from "./file-error.ts";
import { choose, planFolder } from "./folder-plan.ts";
import { type Inspection, type InspectOptions, inspectModel, inspectTensors } from "./inspect.ts";
import type { Warning } from "./report.ts";
import { openTensors } from "./tensor-files.ts";

/** What a folder holds. */
export interface FolderInspection {
  format: "folder";
  /** Bytes of all files. */
  bytes: number;
  files: { name: string; bytes: number }[];
  /** Its models; `file` is the index of one in several files. */
  models: ({ file: string } & Inspection)[];
  /** Files that a compression leaves out or alone, and why. */
  warnings: Warning[];
}

/** Inspects the models of a folder. @throws {UnsupportedError} where it holds none. */
export async function inspectFolder(folder: Folder, options: InspectOptions = {}): Promise<FolderInspection> {
  const { onnx, safetensors, warnings } = choose(planFolder(folder.keys()), {});
  const models: FolderInspection["models"] = [];
  for (const { file } of onnx) {
    const siblings = async (location: string): Promise<Source | undefined> => folder.get(siblingName(file, location));
    const inspection = await inFile(file, () => inspectModel(folder.get(file) as Source, { ...options, siblings }));
    models.push({ file, ...inspection });
  }
  if (safetensors) {
    const { files, index } = await openTensors(folder, safetensors, options.signal);
    const all = [...files.values()];
    const tensors = all.flatMap(({ header }) => header.tensors);
    const inspection = inspectTensors(
      tensors,
      all[0]?.header.metadata ?? {},
      all.reduce((n, { source }) => n + source.size, 0),
    );
    models.push({ file: index?.name ?? ([...files.keys()][0] as string), ...inspection });
  }
  const files = [...folder].map(([name, { size }]) => ({ name, bytes: size })).sort((a, b) => (a.name < b.name ? -1 : 1));
  return { format: "folder", bytes: files.reduce((n, file) => n + file.bytes, 0), files, models, warnings: [...warnings] };
}
