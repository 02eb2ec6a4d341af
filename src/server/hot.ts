import { LimitError } from "../errors.ts";
import { orAborted } from "../io/abort.ts";
import type { Source } from "../io/source.ts";
import type { Load } from "../runtime/load.ts";
import type { InferenceModel } from "../runtime/model.ts";
import { type ModelPorts, readPorts } from "../runtime/ports.ts";
import { openModel, requireStore, runnable, type StoredModel, siblingsOf, versionsOf } from "./models.ts";
import type { Limits, Ports, Store } from "./ports.ts";
import { HttpProblem } from "./problem.ts";

/** When a client should ask again while others use the memory. */
const RETRY_SECONDS = 2;

/** A stored model that is loaded, or on its way. */
interface Hot {
  /** The objects that it was made of, and their entity tags. */
  tags: Map<string, string>;
  loading: Promise<InferenceModel>;
  /** When loading began; undefined once it has ended. */
  since: number | undefined;
  users: number;
  /** Memory that it takes, or will. */
  bytes: number;
}

/** A model of the store by its name and, if it is said, its version. */
export interface ModelPlace {
  name: string;
  version: string | undefined;
}

/** Keeps loaded models within MAX_HOT_BYTES and drops the least used; requests for one model share one load, and a replaced one is loaded anew. */
export class HotModels {
  readonly #store: Store | undefined;
  readonly #load: Load;
  readonly #limits: Limits;
  readonly #models = new Map<string, Hot>(); // the one used last comes last

  constructor({ store, engine, limits }: Pick<Ports, "store" | "engine" | "limits">) {
    this.#store = store;
    this.#load = engine.load;
    this.#limits = limits;
  }

  /** Memory that the models take. */
  get bytes(): number {
    return this.#sum(() => true);
  }

  /**
   * Does something with a model that is loaded, or is loaded for it; it stays meanwhile.
   * @throws {LimitError} where it does not fit into MAX_HOT_BYTES, before it is read where its size says so.
   */
  async use<T>(place: ModelPlace, signal: AbortSignal, work: (model: InferenceModel) => Promise<T>): Promise<T> {
    const key = keyOf(place);
    const hot = (await this.#fresh(key)) ?? this.#models.get(key) ?? this.#begin(key, place);
    if (this.#models.get(key) === hot) {
      this.#models.delete(key);
      this.#models.set(key, hot);
    }
    hot.users++;
    try {
      const model = await orAborted(hot.loading, signal);
      try {
        return await work(model);
      } finally {
        hot.bytes = model.memory;
      }
    } catch (error) {
      throw withWayOut(error, place.name, this.#limits);
    } finally {
      hot.users--;
      this.#drop();
    }
  }

  /** What a model takes and gives, its versions, and whether its file may fit. It need not be loaded. */
  async describe(place: ModelPlace, signal: AbortSignal): Promise<ModelPorts & { versions: string[]; fits: boolean }> {
    const stored = await openModel(requireStore(this.#store), place.name);
    try {
      const file = runnable(stored, place.version);
      const hot = this.#models.get(keyOf(place));
      const isCurrent = hot && hot.since === undefined && hot.tags.get(objectKey(stored, file)) === stored.etags[file];
      const { inputs, outputs } = isCurrent
        ? await hot.loading
        : await readPorts(stored.files[file] as Source, siblingsOf(stored, file), signal);
      const fits = (stored.files[file] as Source).size <= this.#limits.MAX_HOT_BYTES;
      return { inputs, outputs, versions: [...versionsOf(stored).keys()], fits };
    } finally {
      await stored.close();
    }
  }

  /** A model that is there, made of what the store holds now. One whose load was lost with its request is none. */
  async #fresh(key: string): Promise<Hot | undefined> {
    const hot = this.#models.get(key);
    if (!hot) return undefined;
    const { since, tags } = hot;
    const isLost = since !== undefined && Date.now() - since > this.#limits.LOST_SECONDS * 1000;
    if (since !== undefined && !isLost) return hot;
    const heads = isLost ? [] : await Promise.all([...tags].map(async ([object, etag]) => (await this.#head(object)) === etag));
    if (!isLost && heads.every(Boolean)) return hot;
    if (this.#models.get(key) === hot) this.#models.delete(key);
    return undefined;
  }

  async #head(key: string): Promise<string | undefined> {
    return (await requireStore(this.#store).head(key))?.etag;
  }

  #begin(key: string, place: ModelPlace): Hot {
    const hot: Hot = { tags: new Map(), since: Date.now(), users: 0, bytes: 0, loading: new Promise(() => {}) };
    this.#models.set(key, hot); // what follows counts it among those that are used
    hot.loading = this.#open(hot, place).then(
      (model) => {
        hot.since = undefined;
        hot.bytes = model.memory;
        return model;
      },
      (error: unknown) => {
        if (this.#models.get(key) === hot) this.#models.delete(key);
        throw error;
      },
    );
    hot.loading.catch(() => {}); // those who wait are told
    return hot;
  }

  async #open(hot: Hot, { name, version }: ModelPlace): Promise<InferenceModel> {
    const { MAX_HOT_BYTES: most } = this.#limits;
    const stored = await openModel(requireStore(this.#store), name);
    try {
      const file = runnable(stored, version);
      const find = siblingsOf(stored, file);
      let bytes = 0;
      const take = (path: string, { size }: Source): void => {
        hot.tags.set(objectKey(stored, path), stored.etags[path] as string);
        bytes += size;
        if (bytes > most)
          throw new LimitError(
            "MAX_HOT_BYTES",
            `The model '${name}' has ${bytes} bytes, and this server runs models in ${most}; ${WAY_OUT}`,
          );
        hot.bytes = Math.min(2 * bytes, most); // as much again for what its runs need
        this.#makeRoom(hot);
      };
      const source = stored.files[file] as Source;
      take(file, source);
      return await this.#load(source, {
        maxBytes: most,
        findSibling: async (location) => {
          const found = await find(location);
          const path = Object.keys(stored.files).find((each) => stored.files[each] === found);
          if (found && path !== undefined) take(path, found);
          return found;
        },
      });
    } finally {
      await stored.close();
    }
  }

  /** Drops others until a new one fits. */
  #makeRoom(hot: Hot): void {
    this.#drop();
    const busy = this.#sum((each) => each !== hot && each.users > 0);
    if (busy > 0 && busy + hot.bytes > this.#limits.MAX_HOT_BYTES)
      throw new HttpProblem(503, "Other models that are running take the memory [MAX_HOT_BYTES]; try again later", {
        "retry-after": String(RETRY_SECONDS),
      });
  }

  /** Drops the models used least lately that nobody uses, until the rest fits. */
  #drop(): void {
    for (const [key, { users, since }] of this.#models) {
      if (this.bytes <= this.#limits.MAX_HOT_BYTES) return;
      if (users === 0 && since === undefined) this.#models.delete(key);
    }
  }

  #sum(counts: (hot: Hot) => boolean): number {
    let sum = 0;
    for (const hot of this.#models.values()) if (counts(hot)) sum += hot.bytes;
    return sum;
  }
}

const keyOf = ({ name, version = "" }: ModelPlace): string => `${name}/${version}`;
const objectKey = ({ name }: StoredModel, file: string): string => `models/${name}/${file}`;

const WAY_OUT = "compress it (POST /v1/compress?model=NAME&output=SMALLER), or run it on a machine with more memory (edgeslim serve)";

/** Says what to do where a model's runs need more memory than there is. */
export function withWayOut(error: unknown, name: string, { MAX_HOT_BYTES }: Limits): unknown {
  if (!(error instanceof LimitError) || !["MAX_ARENA", "MAX_MODEL_MEMORY"].includes(error.limit)) return error;
  const what = `The model '${name}' needs more than the ${MAX_HOT_BYTES} bytes that this server has for models`;
  return new LimitError("MAX_HOT_BYTES", `${what} (${error.message}); ${WAY_OUT}, or feed it less at a time`);
}
