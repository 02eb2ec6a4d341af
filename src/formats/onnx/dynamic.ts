import { type Graph, makeNode, type Node, reads } from "../../graph/graph.ts";
import type { Patch } from "../../graph/patch.ts";
import { dynamicConsumer } from "../../graph/role.ts";
import { dataType } from "./proto.ts";

/** Names of a value's integer form. */
interface Quantized {
  values: string;
  scale: string;
  zero_point: string;
}

/** A weight in its integer form; `transposed` when it was stored the other way round. */
export interface QuantizedWeight extends Quantized {
  transposed: boolean;
  rank: number;
}

const FLOAT = dataType("float32");

/**
 * Rewrites a graph for dynamic quantization, node for node as onnxruntime's tools do, so that what runs their models runs these:
 * DynamicQuantizeLinear once for each activation, MatMulInteger and ConvInteger, Gather and Transpose on integers, and
 * DequantizeLinear where a float operator reads what exists in integers only.
 */
export class DynamicQuantization {
  readonly #main: Graph;
  readonly #initializers: ReadonlySet<string>;
  readonly #patch: Patch;
  readonly #fresh: (name: string) => string;
  readonly #weights: ReadonlyMap<string, QuantizedWeight>;
  /** Integer forms by the name of the float value. */
  readonly #quantized: Map<string, Quantized>;
  /** Values without a float form, and the node that makes their integer form; weights have none. */
  readonly #integerOnly = new Map<string, Node | undefined>();
  readonly #needed = new Set<string>();
  readonly #made = new Map<Node, Node[]>();
  readonly #scales = new Map<string, string>();

  constructor(main: Graph, weights: ReadonlyMap<string, QuantizedWeight>, patch: Patch, fresh: (name: string) => string) {
    this.#main = main;
    this.#initializers = new Set(main.initializers);
    this.#weights = weights;
    this.#patch = patch;
    this.#fresh = fresh;
    this.#quantized = new Map(weights);
    for (const name of weights.keys()) this.#integerOnly.set(name, undefined);
  }

  apply(): void {
    for (const node of this.#main.nodes) {
      const made = this.#rewrite(node);
      if (made) this.#made.set(node, made);
      else this.#readsFloat(node);
    }
    for (const name of this.#main.outputs) if (this.#integerOnly.has(name)) this.#needed.add(name);
    for (const name of this.#needed) {
      const { values, scale, zero_point } = this.#quantized.get(name) as Quantized;
      const node = makeNode("DequantizeLinear", [values, scale, zero_point], [name]);
      const producer = this.#integerOnly.get(name);
      if (producer) this.#made.get(producer)?.push(node);
      else this.#patch.prepend(this.#main, [node]);
    }
    for (const [node, made] of this.#made) this.#patch.replace(node, made);
  }

  #rewrite(node: Node): Node[] | undefined {
    if (node.domain !== "") return undefined;
    const { op_type, input } = node;
    if (op_type === "Gather" && this.#weights.has(input[0] as string)) return this.#onIntegers(node);
    if (op_type === "Transpose" && this.#quantized.has(input[0] as string)) return this.#onIntegers(node);
    const use = dynamicConsumer(node, input[1] as string);
    const weight = this.#weights.get(input[1] as string);
    if (op_type === "Gemm" && use) return this.#gemm(node, weight, use === "turned");
    if (op_type === "MatMul" && use && weight) return this.#product(node, weight, node.output[0] as string);
    if (op_type === "Conv" && use && (weight || !this.#initializers.has(input[1] as string))) return this.#conv(node, weight);
    return undefined;
  }

  /** Gather and Transpose work on integers as on floats. */
  #onIntegers(node: Node): Node[] {
    const [from = "", ...rest] = node.input;
    const [to = ""] = node.output;
    const source = this.#quantized.get(from) as Quantized;
    const values = this.#fresh(`${to}_quantized`);
    this.#quantized.set(to, { ...source, values });
    this.#integerOnly.set(to, node);
    return [{ ...node, input: [source.values, ...rest], output: [values] }];
  }

  /** The integer form of an activation, made where it is read first. */
  #activation(name: string, made: Node[]): Quantized {
    const known = this.#quantized.get(name);
    if (known) return known;
    const [values, scale, zero_point] = ["quantized", "scale", "zero_point"].map((part) => this.#fresh(`${name}_${part}`)) as [
      string,
      string,
      string,
    ];
    const quantized = { values, scale, zero_point };
    made.push({ ...makeNode("DynamicQuantizeLinear", [name], [values, scale, zero_point]), name: `${name}_QuantizeLinear` });
    this.#quantized.set(name, quantized);
    return quantized;
  }

  /** An integer product of `kind`, scaled back to floats at `y`. */
  #integerProduct(kind: string, node: Node, weight: Quantized, y: string, made: Node[], attributes: Node["attributes"]): void {
    const a = this.#activation(node.input[0] as string, made);
    const integer = this.#fresh(`${y}_output_quantized`);
    const cast = this.#fresh(`${integer}_cast_output`);
    const inputs = [a.values, weight.values, a.zero_point, weight.zero_point];
    made.push({ ...makeNode(kind, inputs, [integer], attributes), name: node.name && `${node.name}_quant` });
    made.push(makeNode("Cast", [integer], [cast], { to: FLOAT }));
    // Nodes without names share the product of a pair of scales.
    const pair = JSON.stringify([a.scale, weight.scale]);
    let scales = node.name ? undefined : this.#scales.get(pair);
    if (!scales) {
      scales = this.#fresh(node.name ? `${node.name}_quant_scales_mul` : `${a.scale}_${weight.scale}_mul`);
      made.push(makeNode("Mul", [a.scale, weight.scale], [scales]));
      if (!node.name) this.#scales.set(pair, scales);
    }
    made.push(makeNode("Mul", [cast, scales], [y]));
  }

  #product(node: Node, weight: Quantized, y: string): Node[] {
    const made: Node[] = [];
    this.#integerProduct("MatMulInteger", node, weight, y, made, {});
    return made;
  }

  /** Gemm becomes MatMul and Add, with a variable right side too. */
  #gemm(node: Node, weight: QuantizedWeight | undefined, turned: boolean): Node[] {
    const [a = "", b = "", c = ""] = node.input;
    const [y = ""] = node.output;
    const product = c ? this.#fresh(`${y}_MatMul`) : y;
    const made: Node[] = [];
    if (weight) {
      const side = turned === weight.transposed ? weight : { ...weight, values: this.#fresh(`${weight.values}_transposed`) };
      if (side !== weight) made.push(makeNode("Transpose", [weight.values], [side.values], { perm: [1, 0] }));
      this.#integerProduct("MatMulInteger", { ...node, name: node.name && `${node.name}_MatMul` }, side, product, made, {});
    } else {
      for (const name of [a, b]) this.#readsFloatValue(name);
      const right = turned ? this.#fresh(`${b}_Transposed`) : b;
      if (turned) made.push(makeNode("Transpose", [b], [right]));
      made.push(makeNode("MatMul", [a, right], [product]));
    }
    if (!c) return made;
    this.#readsFloatValue(c);
    return [...made, makeNode("Add", [product, c], [y])];
  }

  #conv(node: Node, weight: QuantizedWeight | undefined): Node[] {
    const [, w = "", bias = ""] = node.input;
    const [y = ""] = node.output;
    const made: Node[] = [];
    const scaled = bias ? this.#fresh(`${y}quant_scaled_output`) : y;
    this.#activation(node.input[0] as string, made);
    this.#integerProduct("ConvInteger", node, weight ?? this.#activation(w, made), scaled, made, node.attributes);
    if (!bias) return made;
    this.#readsFloatValue(bias);
    const reshaped = this.#fresh(`${y}_bias_reshape_output`);
    // The bias goes along axis 1 of the output: [C] becomes [1, C, 1, …], of the weight's rank.
    const kernel = node.attributes.kernel_shape;
    const rank = weight?.rank ?? (Array.isArray(kernel) ? kernel.length + 2 : 4);
    const shape = this.#fresh(`${y}_bias_reshape_shape`);
    this.#patch.addVector(this.#main, shape, [1, -1, ...Array<number>(rank - 2).fill(1)]);
    return [...made, makeNode("Reshape", [bias, shape], [reshaped]), makeNode("Add", [scaled, reshaped], [y])];
  }

  #readsFloat(node: Node): void {
    for (const name of reads(node)) this.#readsFloatValue(name);
  }

  #readsFloatValue(name: string): void {
    if (this.#integerOnly.has(name)) this.#needed.add(name);
  }
}
