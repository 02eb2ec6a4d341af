import type { Affine } from "../../encoding.ts";
import { edited, type Graph, makeNode, type Node } from "../../graph/graph.ts";
import type { Patch } from "../../graph/patch.ts";
import type { StaticPlan } from "../../graph/static.ts";

/** Initializers that hold a quantization. */
export interface Quantization {
  scale: string;
  zero_point: string;
}

/** A bias as int32, in steps of the product's: scale of the input times scales of the weight. */
export interface IntegerBias {
  values: Int32Array;
  scales: Float32Array;
}

export interface StaticEdit {
  main: Graph;
  patch: Patch;
  fresh: (name: string) => string;
}

/**
 * Puts QuantizeLinear and DequantizeLinear behind what makes each activation of the plan, as onnxruntime's tools lay them out: runtimes take
 * an operator between such pairs for one on integers. A computed activation keeps its name behind the pair. `parameters` are those of
 * activations with scales of their own, `constants` those of constants that activations may share, `biases` by a product's first output.
 */
export function quantizeStatically(
  plan: StaticPlan,
  parameters: ReadonlyMap<string, Affine>,
  constants: ReadonlyMap<string, Quantization>,
  biases: ReadonlyMap<string, IntegerBias>,
  { main, patch, fresh }: StaticEdit,
): void {
  const quantizations = new Map<string, Quantization>(constants);
  for (const [name, { scale, zero_point }] of parameters) {
    const names = { scale: fresh(`${name}_scale`), zero_point: fresh(`${name}_zero_point`) };
    patch.addTensor(main, { name: names.scale, dtype: "float32", shape: [], bytes: bytesOf(Float32Array.of(scale)) });
    patch.addTensor(main, { name: names.zero_point, dtype: "uint8", shape: [], bytes: Uint8Array.of(zero_point) });
    quantizations.set(name, names);
  }
  const quantizationOf = (name: string): Quantization | undefined =>
    plan.activations.has(name) ? quantizations.get(plan.activations.get(name) ?? name) : undefined;
  /** The pair from one name to another. */
  const pair = (from: string, to: string, { scale, zero_point }: Quantization): Node[] => {
    const integers = fresh(`${to}_quantized`);
    return [
      makeNode("QuantizeLinear", [from, scale, zero_point], [integers]),
      makeNode("DequantizeLinear", [integers, scale, zero_point], [to]),
    ];
  };

  const renamed = new Map<string, string>(); // inputs of the graph keep their names
  for (const name of main.inputs) {
    const quantization = quantizationOf(name);
    if (!quantization) continue;
    const dequantized = fresh(`${name}_dequantized`);
    patch.prepend(main, pair(name, dequantized, quantization));
    renamed.set(name, dequantized);
  }
  for (const node of main.nodes) {
    const before: Node[] = [];
    const after: Node[] = [];
    const output = node.output.map((name) => {
      const quantization = quantizationOf(name);
      if (!quantization) return name;
      const float = fresh(`${name}_float`);
      after.push(...pair(float, name, quantization));
      return float;
    });
    const bias = biases.get(node.output[0] ?? "");
    const input = node.input.map((name, i) => {
      if (i !== 2 || !bias) return renamed.get(name) ?? name;
      const values = fresh(`${name}_quantized`);
      const scale = fresh(`${values}_scale`);
      const float = fresh(`${name}_dequantized`);
      const shape = [bias.values.length];
      patch.addTensor(main, { name: values, dtype: "int32", shape, bytes: bytesOf(bias.values) });
      patch.addTensor(main, { name: scale, dtype: "float32", shape, bytes: bytesOf(bias.scales) });
      before.push(makeNode("DequantizeLinear", [values, scale], [float], { axis: 0 }));
      return float;
    });
    const isSame = (one: readonly string[], other: readonly string[]): boolean => one.every((name, i) => name === other[i]);
    if (isSame(input, node.input) && isSame(output, node.output)) continue;
    patch.replace(node, [...before, edited(node, { input, output }), ...after]);
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Int32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
