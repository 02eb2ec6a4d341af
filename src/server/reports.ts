import type { Recipe } from "../engine/recipe.ts";
import type { Report } from "../engine/report.ts";
import { readAll, sourceInput } from "../io/input.ts";
import { VERSION } from "../version.ts";
import type { Limits, Store } from "./ports.ts";
import type { Problem } from "./problem.ts";

/** A report as it is stored. */
type Entry =
  | { state: "running"; recipe: Recipe; beat: number }
  | { state: "done"; report: Report }
  | { state: "failed"; report: FailedReport };

/** What GET /v1/reports/ID gives for a run that failed. */
export interface FailedReport {
  edgeslim: string;
  recipe: Recipe;
  error: Problem;
}

/** A report of a model with 100,000 tensors takes about 20 MB. */
const MAX_REPORT_BYTES = 64 << 20;

const keyOf = (id: string): string => `reports/${id}.json`;

/** The report of one run, from its start on. Entries are written one after another, so that the last one stays. */
export class ReportEntry {
  readonly id: string = crypto.randomUUID();
  readonly #store: Store;
  readonly #recipe: Recipe;
  readonly #beatMs: number;
  #beat = Number.POSITIVE_INFINITY;
  #last: Promise<void> = Promise.resolve();

  /** Running entries are written again several times in LOST_SECONDS, so that a run that is lost can be told from a long one. */
  constructor(store: Store, recipe: Recipe, { LOST_SECONDS }: Limits) {
    this.#store = store;
    this.#recipe = recipe;
    this.#beatMs = LOST_SECONDS * 200;
  }

  get path(): string {
    return `/v1/reports/${this.id}`;
  }

  /** Says that the run is under way; resolves when that can be read. */
  running(): Promise<void> {
    this.#beat = Date.now();
    return this.#append({ state: "running", recipe: this.#recipe, beat: this.#beat });
  }

  /** Says now and then that the run goes on. */
  beat(): void {
    if (Date.now() - this.#beat > this.#beatMs) void this.running().catch(() => {}); // the next may reach the store
  }

  done(report: Report): Promise<void> {
    return this.#append({ state: "done", report });
  }

  failed(error: Problem): Promise<void> {
    return this.#append({ state: "failed", report: { edgeslim: VERSION, recipe: this.#recipe, error } });
  }

  #append(entry: Entry): Promise<void> {
    this.#last = this.#last.catch(() => {}).then(() => this.#write(entry));
    return this.#last;
  }

  async #write(entry: Entry): Promise<void> {
    const sink = this.#store.sink(keyOf(this.id));
    try {
      await sink.write(new TextEncoder().encode(JSON.stringify(entry)));
      await sink.close();
    } catch (error) {
      await sink.abort(error);
      throw error;
    }
  }
}

/** What is known of a run: undefined if nothing. */
export async function readReport(store: Store, id: string, { LOST_SECONDS }: Limits): Promise<Entry | undefined> {
  if (!/^[0-9a-f-]{36}$/.test(id)) return undefined;
  const object = await store.open(keyOf(id));
  if (!object) return undefined;
  try {
    const bytes = await readAll(sourceInput(object.source), MAX_REPORT_BYTES, "MAX_REPORT_BYTES");
    const entry = JSON.parse(new TextDecoder().decode(bytes)) as Entry;
    if (entry.state !== "running" || Date.now() - entry.beat < LOST_SECONDS * 1000) return entry;
    const detail = `The run was lost: nothing has been heard of it for ${LOST_SECONDS} seconds [LOST_SECONDS]; start it again`;
    const error: Problem = { type: "about:blank", title: "Internal Server Error", status: 500, detail };
    return { state: "failed", report: { edgeslim: VERSION, recipe: entry.recipe, error } };
  } finally {
    await object.close();
  }
}
