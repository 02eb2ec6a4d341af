import type { Graph, Values } from "../graph/graph.ts";
import { paths } from "../graph/role.ts";
import type { TensorInfo } from "../tensor.ts";
import type { TensorReport } from "./report.ts";

/** What one layer takes: a node with its weights, or, in a file without a graph, the tensors of one module. */
export interface LayerReport {
  /** The file it stands in, where the source has several models. */
  file?: string;
  /** The node's name, or its first output; the module's name. */
  name: string;
  /** Absent where there is no graph. */
  op_type?: string;
  tensors: string[];
  /** Data bytes before and after, scales included. */
  bytes: [before: number, after: number];
}

/** A layer without its sizes. */
export type Layer = Pick<LayerReport, "name" | "op_type">;

/** The node that works with each tensor; of a tied weight, the first. */
export function layersOf(
  values: Values,
  definitions: Iterable<{ info: Pick<TensorInfo, "name" | "shape">; home: Graph }>,
): Map<string, Layer> {
  const layers = new Map<string, Layer>();
  for (const { info, home } of definitions) {
    const node = paths(values, info.name, home, info.shape.length).paths[0]?.use.node;
    if (node) layers.set(info.name, { name: node.name || (node.output[0] ?? ""), op_type: node.op_type });
  }
  return layers;
}

/** The module that a tensor of a file without a graph belongs to: `encoder.0.weight` is of `encoder.0`. */
export const moduleOf = (tensor: string): Layer => ({ name: tensor.includes(".") ? tensor.slice(0, tensor.lastIndexOf(".")) : tensor });

/** Adds up what the tensors of each layer take, the largest layer first. Tensors that no layer uses are in none. */
export function sumLayers(tensors: readonly TensorReport[], layerOf: (tensor: string) => Layer | undefined): LayerReport[] {
  const layers = new Map<string, LayerReport>();
  for (const { name, bytes } of tensors) {
    const layer = layerOf(name);
    if (!layer) continue;
    const sum = layers.get(layer.name) ?? { ...layer, tensors: [], bytes: [0, 0] };
    sum.tensors.push(name);
    sum.bytes = [sum.bytes[0] + bytes[0], sum.bytes[1] + bytes[1]];
    layers.set(layer.name, sum);
  }
  return [...layers.values()].sort((a, b) => b.bytes[0] - a.bytes[0]);
}
