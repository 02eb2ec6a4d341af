import type { Store, StoredObject } from "./ports.ts";
import { HttpProblem } from "./problem.ts";

/** What a route without a store answers. */
export function requireStore(store: Store | undefined): Store {
  if (store) return store;
  throw new HttpProblem(404, "This server has no store: bind an R2 bucket as MODELS, or start it with --models DIR");
}

/** The file of a stored model: model.onnx or model.safetensors, else the only file of such a kind. */
export async function openModel(store: Store, name: string): Promise<StoredObject> {
  const prefix = `models/${name}/`;
  const usual: string[] = [];
  const others: string[] = [];
  for await (const { key } of store.list(prefix)) {
    const file = key.slice(prefix.length);
    if (file === "model.onnx" || file === "model.safetensors") usual.push(file);
    else if (/\.(onnx|safetensors)$/.test(file)) others.push(file);
  }
  const files = usual.length > 0 ? usual : others;
  if (files.length > 1)
    throw new HttpProblem(409, `The model '${name}' holds ${files.slice(0, 5).join(", ")}: keep one, or name it model.onnx`);
  const object = files[0] === undefined ? undefined : await store.open(prefix + files[0]);
  if (!object)
    throw new HttpProblem(404, `There is no model '${name}' with a file .onnx or .safetensors; PUT it to /v1/models/${name}/model.onnx`);
  return object;
}
