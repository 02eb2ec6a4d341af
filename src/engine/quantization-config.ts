import type { Encoding } from "../encoding.ts";
import type { Planned } from "./safetensors.ts";

/** How a group of layers is quantized, in the words of compressed-tensors: https://github.com/neuralmagic/compressed-tensors */
interface Group {
  format: "pack-quantized" | "int-quantized";
  weights: { num_bits: number; type: "int"; symmetric: true; strategy: "group" | "channel" | "tensor"; group_size?: number };
}

interface Layer {
  name: string;
  /** Its kind by the rank of its weight, as PyTorch calls it. */
  kind: string;
}

const KINDS = ["Linear", "Linear", "Linear", "Conv1d", "Conv2d", "Conv3d"];
const WEIGHT = /\.weight$/;

/** What loaders know only by the name `….weight`, in words for a warning: undefined where all have it. */
export const unnamedWeights = (planned: readonly Planned[]): string[] =>
  planned.flatMap(({ entry, encoding }) => (encoding && groupOf(encoding) && !WEIGHT.test(entry.name) ? [entry.name] : []));

/**
 * The `quantization_config` that transformers and vLLM look for in config.json; undefined where nothing became an integer.
 * The commonest group of a kind of layer is told by the kind, others by their names, and what stayed in float is ignored.
 */
export function quantizationConfig(planned: readonly Planned[]): Record<string, unknown> | undefined {
  const groups = new Map<string, { group: Group; layers: Layer[] }>();
  const ignored: string[] = [];
  for (const { entry, encoding } of planned) {
    if (!WEIGHT.test(entry.name)) continue;
    const layer = { name: entry.name.replace(WEIGHT, ""), kind: KINDS[entry.shape.length] ?? "Linear" };
    const group = encoding && groupOf(encoding);
    if (!group) {
      if (entry.shape.length >= 2) ignored.push(layer.name);
      continue;
    }
    const key = JSON.stringify(group);
    const known = groups.get(key) ?? { group, layers: [] };
    known.layers.push(layer);
    groups.set(key, known);
  }
  if (groups.size === 0) return undefined;
  const sorted = [...groups.values()].sort((a, b) => b.layers.length - a.layers.length);
  const kinds = new Set<string>();
  const formats = new Set(sorted.map(({ group }) => group.format));
  const mixed = formats.size > 1;
  const config_groups = Object.fromEntries(
    sorted.map(({ group: { format, weights }, layers }, i) => {
      const targets = targetsOf(layers, kinds);
      return [`group_${i}`, { ...(mixed ? { format } : {}), targets, weights }];
    }),
  );
  // A head that is tied to an embedding has no tensor of its own, and is a Linear all the same.
  const isHead = (name: string): boolean => /(^|\.)lm_head$/.test(name);
  const heads = sorted.some(({ layers }) => layers.some(({ name }) => isHead(name))) || ignored.some(isHead) ? [] : ["lm_head"];
  return {
    quant_method: "compressed-tensors",
    format: mixed ? "mixed-precision" : [...formats][0],
    quantization_status: "compressed",
    config_groups,
    ignore: [...ignored, ...heads],
  };
}

/** Kinds that no group before has taken, and the names of the other layers. */
function targetsOf(layers: readonly Layer[], taken: Set<string>): string[] {
  const own = [...new Set(layers.map(({ kind }) => kind))].filter((kind) => !taken.has(kind)).sort();
  const names = layers.filter(({ kind }) => !own.includes(kind)).map(({ name }) => name);
  for (const kind of own) taken.add(kind);
  return [...own, ...names];
}

function groupOf(encoding: Encoding): Group | undefined {
  if (encoding.kind === "int4") {
    const weights = { num_bits: 4, type: "int", symmetric: true, strategy: "group", group_size: 32 } as const;
    return { format: "pack-quantized", weights };
  }
  if (encoding.kind === "int8") {
    const strategy = encoding.axis === null ? "tensor" : "channel";
    return { format: "int-quantized", weights: { num_bits: 8, type: "int", symmetric: true, strategy } };
  }
  return undefined;
}
