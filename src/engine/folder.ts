import { LimitError, UnsupportedError } from "../errors.ts";
import { type Folder, MemoryFolder } from "../io/folder.ts";
import type { Source } from "../io/source.ts";
import { VERSION } from "../version.ts";
import { parseConfig, refuseQuantized } from "./config.ts";
import { unmatched } from "./decide.ts";
import { inFile } from "./file-error.ts";
import type { FolderOptions } from "./folder-options.ts";
import { type Chosen, choose, planFolder } from "./folder-plan.ts";
import { type FolderReport, joinReports, type Variant } from "./folder-report.ts";
import { type Made, readText, writeRest } from "./folder-rest.ts";
import { compressVariant } from "./onnx-variant.ts";
import { Outputs } from "./outputs.ts";
import type { KernelPool } from "./pool.ts";
import { parseRecipe, type Recipe, type RecipeInput } from "./recipe.ts";
import type { Report } from "./report.ts";
import { compressTensors } from "./shards.ts";
import { namesOf, openTensors } from "./tensor-files.ts";
import { recipesOf } from "./variants.ts";

/**
 * Compresses the models of a folder into a folder: ONNX into `onnx/` under the names that Transformers.js looks for, safetensors under their
 * own names with their index and `quantization_config`, all else byte for byte. On failure every file is dropped.
 */
export async function compressFolder(
  pool: KernelPool,
  folder: Folder,
  input: RecipeInput,
  options: FolderOptions = {},
): Promise<{ files: Record<string, Source>; report: FolderReport }> {
  const started = performance.now();
  const recipe = parseRecipe(input);
  checkShard(options.shard);
  const chosen = choose(planFolder(folder.keys()), recipe);
  const config = chosen.config === undefined ? undefined : parseConfig(await readText(folder, chosen.config, options.signal));
  const outputs = new Outputs(options.into ?? new MemoryFolder());
  try {
    const made = await compressModels(
      pool,
      folder,
      chosen,
      recipe,
      outputs,
      options,
      config && ((names) => refuseQuantized(config, names)),
    );
    const { copied, warnings } = await writeRest(folder, chosen, recipe, made, outputs, config, options);
    const seconds = (performance.now() - started) / 1000;
    const report = joinReports(VERSION, { recipe, variants: made.variants, warnings, files: outputs.names, copied, seconds });
    return { report, files: await outputs.sources() };
  } catch (error) {
    await outputs.abort(error);
    throw error;
  }
}

function checkShard(shard: number | undefined): void {
  if (shard !== undefined && !(Number.isSafeInteger(shard) && shard > 0)) throw new TypeError(`shard is a number of bytes, not ${shard}.`);
}

async function compressModels(
  pool: KernelPool,
  folder: Folder,
  chosen: Chosen,
  recipe: Recipe,
  outputs: Outputs,
  options: FolderOptions,
  check: ((names: ReadonlySet<string>) => void) | undefined,
): Promise<Made> {
  const made: Made = { variants: [], onnx: [], tensors: undefined, read: new Set() };
  const tensors = chosen.safetensors && (await openTensors(folder, chosen.safetensors, options.signal));
  if (tensors) check?.(namesOf(tensors));
  const attempts = new Attempts(made.variants);
  for (const model of chosen.onnx) {
    let sha256: string | undefined;
    for (const each of recipesOf(recipe)) {
      await attempts.make(model.file, each, async (onUnmatched) => {
        const run = { ...options, onUnmatched, maxHashedBytes: sha256 === undefined ? options.maxHashedBytes : 0 };
        const result = await pool.use((tools) => compressVariant(tools, folder, model, each, outputs, made.read, run));
        sha256 ??= result.report.source.sha256;
        if (sha256 !== undefined) result.report.source.sha256 = sha256; // read once is enough
        made.onnx.push(result);
        return result.report;
      });
    }
  }
  if (tensors) {
    const name = tensors.index?.name ?? ([...tensors.files.keys()][0] as string);
    const { optimize, ...rest } = recipe;
    const own = chosen.onnx.length > 0 ? rest : recipe; // the optimizer is for the graphs beside them
    await attempts.make(name, own, async (onUnmatched) => {
      made.tensors = await pool.use((tools) => compressTensors(tools, tensors, own, outputs, { ...options, onUnmatched }));
      return made.tensors.report;
    });
  }
  attempts.finish();
  return made;
}

/** Tries schemes on models, and remembers what came of each. */
class Attempts {
  readonly #variants: Variant[];
  readonly #errors: (UnsupportedError | LimitError)[] = [];
  /** Patterns that matched nothing in any model so far. */
  #unmatched: ReadonlySet<string> | undefined;

  constructor(variants: Variant[]) {
    this.#variants = variants;
  }

  /** A scheme that the model does not allow is noted; broken bytes end the run. */
  async make(model: string, recipe: Recipe, work: (onUnmatched: (patterns: readonly string[]) => void) => Promise<Report>): Promise<void> {
    const named = recipe.quantize && { scheme: recipe.quantize.scheme };
    try {
      const report = await inFile(model, () =>
        work((patterns) => {
          const known = this.#unmatched;
          this.#unmatched = new Set(patterns.filter((pattern) => known?.has(pattern) ?? true));
        }),
      );
      const { files = [], bytes } = report.output;
      this.#variants.push({ ...named, model, files, bytes, report });
    } catch (error) {
      if (!(error instanceof UnsupportedError || error instanceof LimitError)) throw error;
      this.#errors.push(error);
      this.#variants.push({ ...named, model, files: [], bytes: 0, refused: error.message.replace(`${model}: `, "") });
    }
  }

  /** Refuses patterns that matched in no model, and a run that made nothing. */
  finish(): void {
    for (const pattern of this.#unmatched ?? []) throw unmatched(pattern);
    if (this.#variants.some(({ report }) => report)) return;
    const [first, second] = this.#errors;
    if (first && !second) throw first;
    const why = this.#variants.map(({ scheme, model, refused }) => `${scheme ?? model}: ${refused}`).join("; ");
    if (first instanceof LimitError) throw new LimitError(first.limit, `Nothing could be made. ${why}`, first.place);
    throw new UnsupportedError(`Nothing could be made. ${why}`, first?.place);
  }
}
