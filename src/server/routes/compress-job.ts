import type { Context } from "hono";
import type { Calibration } from "../../engine/calibration.ts";
import { ALL_WEB, type Recipe } from "../../engine/recipe.ts";
import { FormatError, UnsupportedError } from "../../errors.ts";
import type { FindSibling } from "../../formats/onnx/siblings.ts";
import type { Input } from "../../io/input.ts";
import type { Source } from "../../io/source.ts";
import type { Sample, Samples } from "../../runtime/samples.ts";
import { openModel, requireStore, type StoredModel, siblingsOf, soleModel } from "../models.ts";
import { readForm } from "../multipart.ts";
import type { Ports, Store } from "../ports.ts";
import { HttpProblem } from "../problem.ts";
import type { Query } from "../query.ts";
import type { Run } from "../run.ts";
import { storedSamples } from "../samples.ts";

/** What a request asks for, its model opened: one that comes as a file, or a stored one with all its files. */
export type Job = FileJob | FolderJob;

export interface FileJob {
  run: Run;
  recipe: Recipe;
  from: Input | Source;
  /** Where it is stored, and what stands beside it there. */
  stored?: { model: StoredModel; file: string; siblings: FindSibling };
  /** Stored samples that it is calibrated on. */
  calibration?: Calibration;
  /** Lets go of what the store has open for it. */
  close?(): Promise<void>;
}

export interface FolderJob {
  run: Run;
  recipe: Recipe;
  folder: StoredModel;
  /** Bytes that a file of weights may have. */
  shard: number | undefined;
}

/** Opens what a request sends or names. `recipe` is given where it is not in a form, whose content type is `form`. */
export async function prepare(
  c: Context,
  ports: Ports,
  run: Run,
  query: Query,
  form: string | undefined,
  recipe: Recipe | undefined,
): Promise<Job> {
  if (query.model !== undefined) {
    const store = requireStore(ports.store);
    if (sendsBody(c.req.raw)) throw new HttpProblem(400, "The request names a stored model and sends another; give one of them");
    const job = storedJob(run, await openModel(store, query.model), recipe ?? query.recipe(), query);
    return query.samples === undefined ? job : calibrated(ports, store, job, query.samples);
  }
  const body = run.upload(c);
  if (!body) throw new FormatError("The body is empty: expected an ONNX or safetensors file");
  if (form === undefined) return { run, recipe: recipe ?? query.recipe(), from: body };
  const { recipe: document, model } = await readForm(form, body);
  try {
    const recipe = query.recipe(document);
    refuseSeveral(recipe, query);
    if (Object.keys(recipe).length === 0)
      throw new UnsupportedError("There is no recipe: in a form the part 'recipe' comes before the part 'model'");
    return { run, recipe, from: model };
  } catch (error) {
    await model.cancel(error);
    throw error;
  }
}

const sendsBody = ({ headers }: Request): boolean => Number(headers.get("content-length") ?? 0) > 0 || headers.has("transfer-encoding");

function storedJob(run: Run, model: StoredModel, recipe: Recipe, { output, shard, samples }: Query): Job {
  const several = (Object.keys(model.files).length > 1 && samples === undefined) || makesSeveral(recipe, shard);
  if (several && output !== undefined) return { run, recipe, folder: model, shard };
  const file = soleModel(model);
  if (file === undefined)
    throw new HttpProblem(409, `The model '${model.name}' holds several: name an output for all of them, or keep one as model.onnx`);
  return { run, recipe, from: model.files[file] as Source, stored: { model, file, siblings: siblingsOf(model, file) } };
}

/** The job with its samples. */
async function calibrated({ limits }: Ports, store: Store, job: Job, name: string): Promise<Job> {
  if ("folder" in job) {
    await job.folder.close();
    throw new UnsupportedError("'samples' are for one ONNX model that becomes one file, and the recipe makes several");
  }
  const { open, close } = await storedSamples(store, name, limits).catch(async (error: unknown) => {
    await job.stored?.model.close();
    throw error;
  });
  return { ...job, calibration: { samples: async (inputs) => moving(await open(inputs), job.run), maxBytes: limits.MAX_HOT_BYTES }, close };
}

/** Samples whose run does not stall while it computes. */
async function* moving(samples: Samples, run: Run): AsyncGenerator<Sample> {
  for await (const sample of samples) {
    run.moved();
    yield sample;
  }
}

const makesSeveral = ({ quantize }: Recipe, shard: number | undefined): boolean => quantize?.scheme === ALL_WEB || shard !== undefined;

/** Refuses what makes several files where one is answered, or where the model is read once. */
export function refuseSeveral(recipe: Recipe, { model, output, shard }: Query): void {
  if (!makesSeveral(recipe, shard) || (model !== undefined && output !== undefined)) return;
  const what = shard === undefined ? ALL_WEB : "'shard'";
  const first = model === undefined ? "PUT the model to /v1/models/NAME/model.onnx, then " : "";
  throw new UnsupportedError(
    `${what} makes several files: ${first}POST /v1/compress?model=${model ?? "NAME"}&output=${output ?? "OUTPUT"}&…`,
  );
}
