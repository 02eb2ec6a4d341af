/** Models with external data: https://github.com/onnx/onnx/blob/main/docs/ExternalData.md. Shares nothing with the product. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { AttributeSpec, GraphSpec, ModelSpec } from "./onnx.ts";
import { type DecodedGraph, type DecodedModel, type DecodedTensor, everyGraph } from "./readonnx.ts";
import type { TensorSpec } from "./tensor.ts";
import { bytesOf } from "./wire.ts";

/** A model's own file and those beside it, by name. */
export type Files = Map<string, Uint8Array>;

/** A model with each of its tensors changed, those of subgraphs and Constants too. */
export function withTensors(model: ModelSpec, change: (tensor: TensorSpec) => TensorSpec): ModelSpec {
  const attribute = (spec: AttributeSpec): AttributeSpec => {
    if (typeof spec !== "object") return spec;
    if ("tensor" in spec) return { tensor: change(spec.tensor) };
    return "graph" in spec ? { graph: graph(spec.graph) } : spec;
  };
  const graph = (spec: GraphSpec): GraphSpec => ({
    ...spec,
    nodes: spec.nodes.map((node) => ({
      ...node,
      attributes: Object.fromEntries(Object.entries(node.attributes).map(([name, value]) => [name, attribute(value)])),
    })),
    ...(spec.initializers && { initializers: spec.initializers.map(change) }),
  });
  return { ...model, graph: graph(model.graph) };
}

/** The same model with all data as raw bytes. */
export const rawData = (model: ModelSpec): ModelSpec => withTensors(model, (tensor) => ({ ...tensor, storage: "raw" }));

/**
 * Moves the data of a model into files. `choose` says for the i-th tensor which file it goes to and how many bytes stand before it there;
 * undefined leaves it in the model. Lengths and zero offsets are said for every other tensor only: both may be left out.
 */
export function moveOut(
  model: ModelSpec,
  choose: (i: number, bytes: number) => { location: string; gap: number } | undefined,
): { model: ModelSpec; files: Files } {
  const parts = new Map<string, Uint8Array[]>();
  let i = 0;
  const moved = withTensors(model, (tensor) => {
    const to = ArrayBuffer.isView(tensor.data) ? choose(i++, tensor.data.byteLength) : undefined;
    if (!to) return tensor;
    const file = parts.get(to.location) ?? [];
    parts.set(to.location, file);
    file.push(new Uint8Array(to.gap).fill(0xee));
    const offset = file.reduce((n, part) => n + part.length, 0);
    const data = bytesOf(tensor.data as ArrayBufferView);
    file.push(data);
    const length = i % 2 === 0 ? { length: data.length } : {};
    return { ...tensor, external: { location: to.location, ...(offset > 0 || i % 2 === 0 ? { offset } : {}), ...length } };
  });
  return { model: moved, files: new Map([...parts].map(([name, list]) => [name, Buffer.concat(list)])) };
}

/** A decoded model with the data of its files in its tensors. */
export function moveIn(model: DecodedModel, files: Files): DecodedModel {
  const whole = (tensor: DecodedTensor): DecodedTensor => {
    const { external, ...rest } = tensor;
    if (!external) return tensor;
    const file = files.get(external.location as string);
    const [offset, length] = [Number(external.offset), Number(external.length)];
    if (!file || !(offset + length <= file.length)) throw new Error(`${tensor.name} has no data in ${external.location}`);
    return { ...rest, bytes: file.subarray(offset, offset + length) };
  };
  const inGraph = (graph: DecodedGraph): void => {
    graph.initializers = new Map([...graph.initializers].map(([name, tensor]) => [name, whole(tensor)]));
    for (const node of graph.nodes) {
      for (const [name, value] of node.attributes) {
        if (typeof value === "object" && "data_type" in value) node.attributes.set(name, whole(value));
      }
    }
  };
  for (const graph of everyGraph(model)) inGraph(graph);
  return model;
}

/** Writes files to a temporary folder, which is gone when `use` has ended. */
export async function inFolder<T>(files: Files, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "edgeslim-external-"));
  try {
    for (const [name, bytes] of files) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), bytes);
    }
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
