import { UnsupportedError } from "../errors.ts";
import type { FindSibling } from "../formats/onnx/siblings.ts";
import { filePart, siblingName } from "../io/folder.ts";
import { Kept } from "../io/kept.ts";
import type { Source } from "../io/source.ts";
import type { Store, StoredInfo, StoredObject } from "./ports.ts";
import { HttpProblem } from "./problem.ts";

/** Objects that a run reads from at a time: a model and the file of its data. Each may hold some megabytes of pages. */
const MAX_OPEN = 2;

/** What a route without a store answers. */
export function requireStore(store: Store | undefined): Store {
  if (store) return store;
  throw new HttpProblem(404, "This server has no store: bind an R2 bucket as MODELS, or start it with --models DIR");
}

/** Rooms of the store that clients reach. */
export type Room = "models" | "data";

/** The files under a name. */
export interface StoredModel {
  name: string;
  files: Record<string, Source>;
  /** Their entity tags. */
  etags: Record<string, string>;
  /** Lets go of what is open. */
  close(): Promise<void>;
}

/** Opens a stored model. @throws {HttpProblem} 404 where there is none. */
export async function openModel(store: Store, name: string): Promise<StoredModel> {
  const model = await openFiles(store, "models", name);
  if (Object.keys(model.files).some(isModel)) return model;
  throw new HttpProblem(404, `There is no model '${name}' with a file .onnx or .safetensors; PUT it to /v1/models/${name}/model.onnx`);
}

/** Opens what is stored under a name: a model, or samples. */
export async function openFiles(store: Store, room: Room, name: string): Promise<StoredModel> {
  const prefix = `${room}/${name}/`;
  const kept = new Kept<StoredObject>(MAX_OPEN);
  const files = new Map<string, Source>();
  const etags = new Map<string, string>();
  for await (const info of store.list(prefix)) {
    const file = info.key.slice(prefix.length);
    files.set(file, storedSource(store, info, kept));
    etags.set(file, info.etag);
  }
  return { name, files: Object.fromEntries(files), etags: Object.fromEntries(etags), close: () => kept.close() };
}

/** A stored object that is opened when it is read. */
function storedSource(store: Store, { key, size, etag }: StoredInfo, kept: Kept<StoredObject>): Source {
  const open = async (): Promise<StoredObject> => {
    const object = await store.open(key);
    if (object?.etag === etag) return object;
    await object?.close();
    throw new HttpProblem(409, `/v1/${key} was replaced or deleted while it was read; try again`);
  };
  return { size, read: (offset, length) => kept.use(key, open, ({ source }) => source.read(offset, length)) };
}

const isModel = (file: string): boolean => /\.(onnx|safetensors)$/.test(file);

/** The file that is the model: model.onnx or model.safetensors, else the only one of such a kind; undefined where there are several. */
export function soleModel({ files }: StoredModel): string | undefined {
  const models = Object.keys(files).filter(isModel);
  const usual = models.filter((file) => file === "model.onnx" || file === "model.safetensors");
  const [first, second] = usual.length > 0 ? usual : models;
  return second === undefined ? first : undefined;
}

/** The ONNX files of a stored model by their names without folder and extension: the versions that can be run. */
export const versionsOf = ({ files }: StoredModel): Map<string, string> =>
  new Map(Object.keys(files).flatMap((file) => (file.endsWith(".onnx") ? [[filePart(file).slice(0, -5), file]] : [])));

/** The ONNX file that a version names; without one model.onnx, else the only one. @throws {HttpProblem} 404 and 409, with what there is. */
export function runnable(stored: StoredModel, version: string | undefined): string {
  const { name, files } = stored;
  const versions = versionsOf(stored);
  const there = [...versions.keys()].join(", ") || "none";
  const file = version === undefined ? undefined : versions.get(version);
  if (file !== undefined) return file;
  if (version !== undefined) throw new HttpProblem(404, `The model '${name}' has no version '${version}'; its versions are ${there}`);
  if (versions.size === 0) throw new UnsupportedError(`The model '${name}' has no .onnx file: safetensors hold weights without a graph`);
  const usual = ["model.onnx", "onnx/model.onnx"].find((each) => Object.hasOwn(files, each));
  const [only] = versions.values();
  if (usual ?? versions.size === 1) return usual ?? (only as string);
  throw new HttpProblem(
    409,
    `The model '${name}' holds several: name one, as in /v2/models/${name}/versions/VERSION; its versions are ${there}`,
  );
}

/** Finds the files beside one of a stored model. */
export const siblingsOf =
  ({ files }: StoredModel, file: string): FindSibling =>
  async (location) => {
    const name = siblingName(file, location);
    return Object.hasOwn(files, name) ? files[name] : undefined;
  };
