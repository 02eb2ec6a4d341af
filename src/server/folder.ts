import type { FolderReport } from "../engine/folder-report.ts";
import type { FolderSink } from "../io/folder.ts";
import { checkFile } from "./names.ts";
import type { Store } from "./ports.ts";
import { HttpProblem } from "./problem.ts";
import type { Run } from "./run.ts";

/**
 * Where the files of a result go in the store; the name is the run's until it ends.
 * @throws {HttpProblem} 409 where there are files already, or another run is writing some: the two would mix.
 */
export async function folderTarget(store: Store, run: Run, name: string, source: string): Promise<FolderSink> {
  if (name === source) throw new HttpProblem(409, "The result would mix with the model it is made from; choose another output");
  run.reserve(name);
  for await (const _ of store.list(`models/${name}/`))
    throw new HttpProblem(409, `There are files in /v1/models/${name} already: DELETE it, or choose another output`);
  return {
    async open(file) {
      const sink = store.sink(`models/${name}/${checkFile(file.split("/"))}`);
      return {
        async write(bytes) {
          run.signal.throwIfAborted();
          await sink.write(bytes);
          run.moved();
        },
        close: () => sink.close(),
        abort: (reason) => sink.abort(reason),
      };
    },
  };
}

/** A report with its files as paths in the store. */
export function located(report: FolderReport, name: string): FolderReport {
  const paths = (files: readonly string[]): string[] => files.map((file) => `/v1/models/${name}/${file}`);
  return {
    ...report,
    output: { ...report.output, files: paths(report.output.files ?? []) },
    variants: report.variants.map((variant) => ({ ...variant, files: paths(variant.files) })),
    copied: paths(report.copied),
  };
}
