import { edited, type Graph, makeNode, type Node, reads, topological } from "../../graph/graph.ts";
import type { Patch } from "../../graph/patch.ts";
import { ANGLES, isSingle, isSingleInput } from "../../graph/single.ts";
import type { DType } from "../../tensor.ts";
import { dataType } from "./proto.ts";

const FLOAT = dataType("float32");
const HALF = dataType("float16");

/** What the rewrite knows of a model. */
export interface HalfModel {
  main: Graph;
  /** The type of a value of the main graph; undefined where it is not known. */
  dtype(name: string): DType | undefined;
  /** Weights that are float16 now: the name of the half by the name of the float32 they stand for. */
  weights: ReadonlyMap<string, string>;
  /** float32 constants that do not fit float16, and what stands for them: the name of a float16 tensor. */
  clipped: ReadonlyMap<string, string>;
  /** Values that a ConstantOfShape fills with a number that does not fit, and the name of the float16 scalar to fill with. */
  fills: ReadonlyMap<string, string>;
  /** Whether an initializer must be an input, as up to IR 3: a run that reads once has written what nothing reads any more. */
  listed: boolean;
}

/**
 * Lets a model compute in float16: each float32 value gets a half, made by the node that makes it, and each node reads halves; a Cast
 * stands where a node that stays in float32 meets one that does not. Inputs and outputs of the graph stay float32.
 */
export class HalfArithmetic {
  readonly #model: HalfModel;
  readonly #patch: Patch;
  readonly #fresh: (name: string) => string;
  readonly #halves: Map<string, string>;
  /** Values that a node makes as a half. */
  readonly #made = new Set<string>();
  readonly #wantsHalf = new Set<string>();
  readonly #wantsFloat = new Set<string>();

  constructor(model: HalfModel, patch: Patch, fresh: (name: string) => string) {
    this.#model = model;
    this.#patch = patch;
    this.#fresh = fresh;
    this.#halves = new Map([...model.weights, ...model.clipped]);
  }

  apply(): void {
    const { main, weights, clipped, fills, listed } = this.#model;
    const halves = halfNodes(this.#model);
    const rewritten = new Map<Node, Node>();
    for (const node of main.nodes) {
      if (halves.has(node)) rewritten.set(node, this.#rewrite(node));
      else for (const name of reads(node)) this.#reads(name);
    }
    for (const name of main.outputs) this.#reads(name);

    const early: Node[] = [];
    const after = new Map<Node, Node[]>();
    const producers = new Map(main.nodes.flatMap((node) => node.output.map((name) => [name, node] as const)));
    const put = (name: string, cast: Node): void => {
      const producer = producers.get(name);
      if (producer) after.set(producer, [...(after.get(producer) ?? []), cast]);
      else early.push(cast);
    };
    for (const name of this.#wantsHalf) {
      if (this.#made.has(name) || weights.has(name) || clipped.has(name)) continue;
      const fill = fills.get(name);
      const shape = producers.get(name)?.input[0] as string;
      put(name, fill ? makeNode("Expand", [fill, shape], [this.#half(name)]) : makeNode("Cast", [name], [this.#half(name)], { to: HALF }));
    }
    for (const name of this.#wantsFloat) {
      if (this.#made.has(name) || weights.has(name)) put(name, makeNode("Cast", [this.#half(name)], [name], { to: FLOAT }));
    }
    for (const name of clipped.keys()) {
      if (this.#wantsFloat.has(name)) continue;
      const constant = producers.get(name);
      if (constant) this.#patch.remove(constant);
      else if (!listed) this.#patch.undefine(main, name);
    }
    this.#patch.prepend(main, early);
    for (const node of main.nodes) {
      const casts = after.get(node);
      const [name = ""] = node.output;
      const own = fills.has(name) && !this.#wantsFloat.has(name) ? [] : [rewritten.get(node) ?? node];
      if (own[0] !== node || casts) this.#patch.replace(node, [...own, ...(casts ?? [])]);
    }
  }

  #rewrite(node: Node): Node {
    const input = node.input.map((name, index) => {
      if (!this.#isFloat(name)) return name;
      if (isSingleInput(node, index)) {
        this.#wantsFloat.add(name);
        return name;
      }
      this.#wantsHalf.add(name);
      return this.#half(name);
    });
    const output = node.output.map((name) => {
      if (!this.#isFloat(name)) return name;
      this.#made.add(name);
      return this.#half(name);
    });
    if (node.op_type !== "Cast" || (node.attributes.to !== FLOAT && node.attributes.to !== HALF)) return edited(node, { input, output });
    // A Cast between halves would be none, and onnxruntime fails on some of these.
    const [from = ""] = node.input;
    if (this.#isFloat(from) || this.#model.dtype(from) === "float16")
      return edited(node, { op_type: "Identity", input, output, attributes: {} });
    return edited(node, { input, output, attributes: { ...node.attributes, to: HALF } });
  }

  #reads(name: string): void {
    if (this.#isFloat(name)) this.#wantsFloat.add(name);
  }

  #isFloat(name: string): boolean {
    return name !== "" && this.#model.dtype(name) === "float32";
  }

  #half(name: string): string {
    const half = this.#halves.get(name) ?? this.#fresh(`${name}_float16`);
    this.#halves.set(name, half);
    return half;
  }
}

/** The nodes that compute in float16. */
function halfNodes({ main, dtype }: HalfModel): Set<Node> {
  const sorted = topological(main);
  const isFloat = (name: string): boolean => name !== "" && dtype(name) === "float32";
  const made = new Set(sorted.flatMap(({ output }) => output));
  const inputs = new Set(main.inputs.filter((name) => !main.initializers.includes(name)));
  const halves = new Set<Node>();
  /** Values computed from integers and constants alone. */
  const exact = new Set<string>();
  for (const node of sorted) {
    const values = [...node.input, ...node.output].filter(Boolean);
    if (!isSingle(node) && values.every((name) => dtype(name) !== undefined) && values.some(isFloat)) halves.add(node);
    const isExact = node.input.every((name) => !isFloat(name) || exact.has(name) || (!made.has(name) && !inputs.has(name)));
    if (isExact) for (const name of node.output) if (isFloat(name)) exact.add(name);
  }
  // Arithmetic on positions and sizes stays exact, as far as it does not meet the data.
  const readers = new Map<string, Node[]>();
  for (const node of sorted) for (const name of reads(node)) readers.set(name, [...(readers.get(name) ?? []), node]);
  const outputs = new Set(main.outputs);
  for (const node of sorted.toReversed()) {
    const floats = node.output.filter(isFloat);
    if (!halves.has(node) || !node.input.some((name) => exact.has(name) || !isFloat(name)) || !floats.every((name) => exact.has(name)))
      continue;
    if (hasHalves(node, dtype)) continue;
    const staysExact = floats.every((name) => !outputs.has(name) && (readers.get(name) ?? []).every((reader) => !halves.has(reader)));
    const integers = node.op_type === "Cast" && floats.length === 0 && exact.has(node.input[0] as string);
    if (ANGLES.has(node.op_type) || integers || (floats.length > 0 && staysExact)) halves.delete(node);
  }
  keepNormalizations(sorted, halves, isFloat, (name) => !made.has(name) && !inputs.has(name));
  return halves;
}

/** Whether a node reads float16 already, as a product of packed weights does its scales. */
const hasHalves = ({ domain, input }: Node, dtype: HalfModel["dtype"]): boolean =>
  domain !== "" && input.some((name) => name !== "" && dtype(name) === "float16");

/** The nodes that exporters spell LayerNormalization with. */
const NORMALIZING: ReadonlySet<string> = new Set(["ReduceMean", "Sub", "Pow", "Mul", "Add", "Sqrt", "Div"]);

/**
 * Keeps in float32 the normalization of a value that is no half itself: onnxruntime fuses its nodes over the Cast before them, and would
 * find float32 data beside float16 weights, which does not load from opset 17 on.
 */
function keepNormalizations(
  sorted: readonly Node[],
  halves: Set<Node>,
  isFloat: (name: string) => boolean,
  isConstant: (name: string) => boolean,
): void {
  const producers = new Map(sorted.flatMap((node) => node.output.map((name) => [name, node] as const)));
  /** What is normalized, by the values made of it alone. */
  const origin = new Map<string, string>();
  for (const node of sorted) {
    if (!NORMALIZING.has(node.op_type) || node.domain !== "" || !halves.has(node)) continue;
    const [x = ""] = node.input;
    const from = producers.get(x);
    const begins = node.op_type === "ReduceMean" && isFloat(x) && !isConstant(x) && !(from && halves.has(from));
    const of = begins ? x : node.input.map((name) => origin.get(name)).find((each) => each !== undefined);
    const isOwn = (name: string): boolean =>
      name === of || origin.get(name) === of || !isFloat(name) || isConstant(name) || producers.get(name)?.op_type === "Constant";
    if (of === undefined || !node.input.every(isOwn)) continue;
    halves.delete(node);
    for (const name of node.output) origin.set(name, of);
  }
}
