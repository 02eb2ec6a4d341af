import type { StaticRole } from "../encoding.ts";
import type { Graph, Node, Use, Values } from "./graph.ts";

/** What static quantization needs to know of a model. */
export interface Outline {
  /** Whether a value is float32 and computed, or an input. */
  isActivation(name: string): boolean;
  /** The number of axes of a float32 constant; undefined where a value is none. */
  rankOf(name: string): number | undefined;
  /** Whether the recipe leaves a node in float. */
  isExcluded(node: Node): boolean;
}

/** A product whose bias is a constant that nothing else reads in another way. */
export interface BiasedProduct {
  x: string;
  weight: string;
  bias: string;
  /** The node's first output. */
  output: string;
}

/** What of the main graph becomes integers under static quantization. */
export interface StaticPlan {
  /**
   * Activations in the order in which they are computed, each with the value whose scale it shares: one that only moves elements of an activation
   * or constant has its scale. Undefined for one that has its own.
   */
  activations: ReadonlyMap<string, string | undefined>;
  constants: ReadonlyMap<string, StaticRole>;
  biased: readonly BiasedProduct[];
}

/** Activations that Relu or Clip take at once: quantizing what comes out does the same. */
const CLAMPS: ReadonlySet<string> = new Set(["Relu", "Clip"]);

/** What of integers gives integers with a scale of their own. */
const MAPS: ReadonlySet<string> = new Set([
  ...CLAMPS,
  ...["Sigmoid", "HardSigmoid", "HardSwish", "LeakyRelu", "Elu", "Tanh", "Softmax", "GlobalAveragePool"],
]);

/** What moves elements, or gives some between them: the scale stays. */
const MOVES: ReadonlySet<string> = new Set([
  ...["Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Split", "DepthToSpace", "SpaceToDepth"],
  ...["MaxPool", "AveragePool", "Resize", "Gather", "Pad"],
]);

/** What of several, all of which are integers, gives integers. */
const JOINS: ReadonlySet<string> = new Set(["Add", "Mul", "Concat"]);

/**
 * Plans the static quantization of a main graph as onnxruntime's tools lay it out: what products of a weight (Conv, ConvTranspose, Gemm, MatMul)
 * read and give, and what is made of that by operators that have integer kernels. Other operators compute in float32; unlike with those tools,
 * sums and products of what is float otherwise stay float.
 */
export function planStatic(graph: Graph, values: Values, outline: Outline): StaticPlan {
  const plan = new Planner(graph, values, outline);
  for (const node of graph.nodes) if (node.domain === "" && !outline.isExcluded(node)) plan.take(node);
  return plan;
}

class Planner implements StaticPlan {
  readonly activations = new Map<string, string | undefined>();
  readonly constants = new Map<string, StaticRole>();
  readonly biased: BiasedProduct[] = [];
  readonly #graph: Graph;
  readonly #values: Values;
  readonly #outline: Outline;
  /** What will be integers once it has been clamped. */
  readonly #open = new Set<string>();

  constructor(graph: Graph, values: Values, outline: Outline) {
    this.#graph = graph;
    this.#values = values;
    this.#outline = outline;
  }

  take(node: Node): void {
    const [x = ""] = node.input;
    const { op_type } = node;
    if (isProduct(node)) this.#product(node);
    else if (JOINS.has(op_type) && this.#areIntegers(node.input)) {
      for (const name of node.input) if (!this.#isInteger(name)) this.#constant(name, { product: false });
      this.#give(node);
    } else if (CLAMPS.has(op_type) && this.#open.has(x)) this.#give(node);
    else if (MAPS.has(op_type) && this.#isInteger(x)) this.#give(node);
    else if (op_type === "Gather" && this.#outline.rankOf(x) !== undefined && this.#outline.isActivation(node.output[0] ?? "")) {
      this.#constant(x, { product: false });
      // A table that is looked up gives rows of integers, but what computes with them need not.
      this.activations.set(node.output[0] as string, x);
    } else if (MOVES.has(op_type) && keepsScale(node) && this.#isInteger(x)) {
      for (const name of node.output) if (name) this.activations.set(name, this.activations.get(x) ?? x);
    }
  }

  #product(node: Node): void {
    const [x = "", w = "", bias = ""] = node.input;
    const { isActivation, rankOf } = this.#outline;
    const rank = rankOf(w);
    if (!isActivation(x) || !isActivation(node.output[0] ?? "")) return;
    if (rank === undefined && !isActivation(w)) return;
    this.#activation(x);
    const channel_axis = rank === undefined ? undefined : channelAxis(node, rank);
    if (rank === undefined) this.#activation(w);
    else this.#constant(w, { product: true, ...(channel_axis === undefined ? {} : { channel_axis }) });
    // Of a transposed convolution in groups, the weight's channels are those of one group.
    const inGroups = node.op_type === "ConvTranspose" && (node.attributes.group ?? 1) !== 1;
    const isBias = (use: Use): boolean => use.graph === this.#graph && use.index === 2 && isProduct(use.node);
    const agrees = rank !== undefined && this.constants.get(w)?.channel_axis === channel_axis;
    if (agrees && rankOf(bias) === 1 && !inGroups && this.#values.uses(bias, this.#graph).every(isBias)) {
      this.biased.push({ x, weight: w, bias, output: node.output[0] as string });
    }
    this.#give(node);
  }

  /** Whether joining gives integers: every operand is one or a constant, and not all are constants. */
  #areIntegers(names: readonly string[]): boolean {
    return names.some((name) => this.#isInteger(name)) && names.every((name) => this.#isInteger(name) || this.#rank(name) !== undefined);
  }

  #rank(name: string): number | undefined {
    return this.#outline.rankOf(name);
  }

  #isInteger(name: string): boolean {
    const like = this.activations.get(name);
    return this.activations.has(name) && (like === undefined || !this.constants.has(like));
  }

  #constant(name: string, role: StaticRole): void {
    if (!this.constants.has(name)) this.constants.set(name, role);
  }

  #activation(name: string): void {
    if (!this.activations.has(name)) this.activations.set(name, undefined);
  }

  /** The first output of a node becomes integers: at once, or where it is clamped. */
  #give({ output: [name = ""] }: Node): void {
    if (!this.#outline.isActivation(name)) return;
    const uses = this.#values.uses(name, this.#graph);
    const [use] = uses;
    const isClamped = uses.length === 1 && use?.graph === this.#graph && use.index === 0 && CLAMPS.has(use.node.op_type);
    if (isClamped && use.node.domain === "" && !this.#values.isOutput(name, this.#graph) && !this.#outline.isExcluded(use.node))
      this.#open.add(name);
    else this.#activation(name);
  }
}

const isProduct = (node: Node): boolean => {
  if (node.domain !== "") return false;
  const { op_type, attributes } = node;
  if (op_type === "Gemm") return (attributes.alpha ?? 1) === 1 && (attributes.beta ?? 1) === 1 && (attributes.transA ?? 0) === 0;
  return op_type === "Conv" || op_type === "ConvTranspose" || op_type === "MatMul";
};

function channelAxis({ op_type, attributes }: Node, rank: number): number | undefined {
  if (op_type === "Conv") return 0;
  if (op_type === "ConvTranspose") return 1;
  if (op_type === "Gemm") return attributes.transB ? 0 : 1;
  return rank === 2 ? 1 : undefined; // integer products of a batch have one scale
}

/** Whether what a node gives lies in the range of what it takes: not where it fills with a number, or draws curves through points. */
const keepsScale = ({ op_type, input, attributes }: Node): boolean =>
  op_type === "Pad" ? !input[2] : op_type === "Resize" ? attributes.mode !== "cubic" : true;
