import { edited, makeNode, type Node, reads, topological } from "../../graph/graph.ts";
import { axesOf } from "../../ops/op.ts";
import { integersOf } from "../../ops/value.ts";
import { Edits, type Model } from "../../optimize/model.ts";
import type { Tensor } from "../../tensor.ts";

/** A value that is the transpose of another, which has not been made yet. */
interface Turned {
  of: string;
  perm: readonly number[];
}

/** Operators that look at each element alone, or at elements of several tensors at the same place. */
// biome-ignore format: a table
const ELEMENTWISE: ReadonlySet<string> = new Set([
  "Activate", "QBinary", "Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "Cast", "Ceil", "Celu", "Cos", "Cosh", "Div", "Equal", "Floor",
  "Greater", "GreaterOrEqual", "Identity", "IsNaN", "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mod", "Mul", "Neg", "Not", "Or", "PRelu",
  "Pow", "Reciprocal", "Round", "Selu", "Sign", "Sin", "Sinh", "Softsign", "Sqrt", "Sub", "Sum", "Tan", "ThresholdedRelu", "Where", "Xor",
]);

const isIdentity = (perm: readonly number[]): boolean => perm.every((axis, i) => axis === i);

/**
 * Moves Transposes towards the outputs: behind operators that work element by element or along an axis that can be named anew, until two
 * of them cancel or somebody needs the order. One is made where it is first needed.
 */
export function moveTransposes(model: Model): boolean {
  return new Mover(model).run();
}

/** Whether a node quantizes or dequantizes with one scale. */
const isLinear = (model: Model, { op_type, input }: Node): boolean =>
  /^(Quantize|Dequantize)Linear$/.test(op_type) && model.inferred.get(input[1] as string)?.shape?.every((d) => d === 1) === true;

class Mover {
  readonly #model: Model;
  readonly #edits: Edits;
  readonly #turned = new Map<string, Turned>();
  readonly #made = new Set<string>();

  constructor(model: Model) {
    this.#model = model;
    this.#edits = new Edits(model);
  }

  run(): boolean {
    const { main } = this.#model;
    const outputs = new Set(main.outputs);
    for (const node of topological(main)) {
      const nodes = this.#move(node) ?? [...[...reads(node)].flatMap((name) => this.#make(name)), node];
      const wanted = node.output.filter((name) => outputs.has(name)).flatMap((name) => this.#make(name));
      if (nodes.length !== 1 || nodes[0] !== node || wanted.length > 0) this.#edits.replace(node, [...nodes, ...wanted]);
    }
    return this.#edits.apply();
  }

  /** The Transpose that makes a value, unless it is there. */
  #make(name: string): Node[] {
    const turned = this.#turned.get(name);
    if (!turned || this.#made.has(name)) return [];
    this.#made.add(name);
    return [makeNode("Transpose", [turned.of], [name], { perm: turned.perm })];
  }

  /** What stands for a node that lets a Transpose pass; undefined for one that does not. */
  #move(node: Node): Node[] | undefined {
    const isOwn = node.domain === "edgeslim" && /^(Activate|ChannelShuffle|QBinary|QLookup)$/.test(node.op_type);
    if ((node.domain !== "" && !isOwn) || node.graphs.length > 0) return undefined;
    if (node.op_type === "Transpose") return this.#compose(node);
    const turned = node.input.map((name) => this.#turned.get(name)).find(Boolean);
    if (!turned) return undefined;
    if (node.op_type === "QLookup" || isLinear(this.#model, node))
      return this.#instead(node, [turned.of, ...node.input.slice(1)], turned.perm);
    if (node.op_type === "DynamicQuantizeLinear") return this.#dynamic(node, turned);
    if (ELEMENTWISE.has(node.op_type)) return this.#elementwise(node, turned.perm);
    if (node.op_type === "Concat") return this.#concat(node, turned.perm);
    if (this.#turned.get(node.input[0] as string) !== turned) return undefined;
    if (/^Reduce/.test(node.op_type)) return this.#reduce(node, turned);
    if (/^(Log)?Softmax$/.test(node.op_type)) return this.#model.opset < 13 ? undefined : this.#along(node, turned, -1);
    if (node.op_type === "Split" || node.op_type === "ChannelShuffle") return this.#along(node, turned, 0);
    if (node.op_type === "Pad") return this.#pad(node, turned);
    if (node.op_type === "Slice") return this.#slice(node, turned);
    return undefined;
  }

  #compose(node: Node): Node[] | undefined {
    const [x = ""] = node.input;
    const [y = ""] = node.output;
    const rank = this.#model.inferred.get(x)?.shape?.length;
    const { perm: given } = node.attributes;
    const perm = Array.isArray(given)
      ? (given as number[])
      : rank === undefined
        ? undefined
        : Array.from({ length: rank }, (_, i) => rank - 1 - i);
    if (!perm || !axesOf(perm, rank ?? perm.length) || (rank ?? perm.length) !== perm.length) return undefined;
    const before = this.#turned.get(x) ?? { of: x, perm: perm.map((_, i) => i) };
    if (before.perm.length !== perm.length) return undefined;
    const all = perm.map((axis) => before.perm[axis] as number);
    if (!isIdentity(all)) {
      this.#turned.set(y, { of: before.of, perm: all });
      return [];
    }
    if (!this.#model.isMovable(y)) return [makeNode("Identity", [before.of], [y])];
    this.#edits.rename(y, before.of);
    const further = this.#turned.get(before.of);
    if (further) this.#turned.set(y, further);
    return [];
  }

  /** A node on values before they are turned, whose output is to be turned. */
  #instead(node: Node, input: string[], perm: readonly number[], attributes = node.attributes): Node[] {
    const output = node.output.map((name) => {
      if (!name) return "";
      const made = this.#model.fresh(`${name}_moved`);
      if (isIdentity(perm)) throw new TypeError("A Transpose that does nothing is not moved");
      this.#turned.set(name, { of: made, perm });
      return made;
    });
    return [edited(node, { input, output, attributes })];
  }

  /** Scale and zero point are not turned. */
  #dynamic(node: Node, { of, perm }: Turned): Node[] {
    const [moved] = this.#instead({ ...node, output: node.output.slice(0, 1) }, [of], perm);
    return [edited(node, { input: [of], output: [moved?.output[0] as string, ...node.output.slice(1)] })];
  }

  #elementwise(node: Node, perm: readonly number[]): Node[] | undefined {
    const inputs = node.input.map((name) => (name ? this.#before(name, perm) : ""));
    return inputs.includes(undefined) ? undefined : this.#instead(node, inputs as string[], perm);
  }

  /** The value that gives `name` when it is turned by `perm`, or that broadcasts in its place. */
  #before(name: string, perm: readonly number[]): string | undefined {
    const turned = this.#turned.get(name);
    if (turned) return turned.perm.join() === perm.join() ? turned.of : undefined;
    const value = this.#model.inferred.get(name);
    const { shape, constant } = value ?? {};
    if (!shape || shape.length > perm.length) return undefined;
    if (shape.every((d) => d === 1)) return name;
    if (!constant || shape.filter((d) => d !== 1).length !== 1) return undefined;
    // One axis is longer than 1, so the elements keep their order.
    const full = [...new Array<number>(perm.length - shape.length).fill(1), ...(shape as readonly number[])];
    const moved = new Array<number>(perm.length);
    perm.forEach((axis, i) => {
      moved[axis] = full[i] as number;
    });
    return this.#define(`${name}_moved`, { ...constant, shape: moved });
  }

  #define(name: string, tensor: Tensor): string {
    const fresh = this.#model.fresh(name);
    this.#model.define(fresh, tensor, this.#edits);
    return fresh;
  }

  #concat(node: Node, perm: readonly number[]): Node[] | undefined {
    const inputs = node.input
      .map((name) => this.#turned.get(name))
      .map((turned) => (turned?.perm.join() === perm.join() ? turned.of : undefined));
    const { axis } = node.attributes;
    if (inputs.includes(undefined) || typeof axis !== "number") return undefined;
    return this.#instead(node, inputs as string[], perm, {
      ...node.attributes,
      axis: perm[axis < 0 ? axis + perm.length : axis] as number,
    });
  }

  /** One axis is another one now. */
  #along(node: Node, { of, perm }: Turned, otherwise: number): Node[] {
    const { axis = otherwise } = node.attributes as { axis?: number };
    const attributes = { ...node.attributes, axis: perm[axis < 0 ? axis + perm.length : axis] as number };
    return this.#instead(node, [of, ...node.input.slice(1)], perm, attributes);
  }

  #pad(node: Node, { of, perm }: Turned): Node[] | undefined {
    const [, list, ...rest] = node.input;
    const given = (list ? integersOf(this.#model.inferred.get(list)) : node.attributes.pads) as readonly number[] | undefined;
    if (given?.length !== 2 * perm.length || rest[1]) return undefined;
    const pads = new Array<number>(given.length);
    perm.forEach((axis, i) => {
      pads[axis] = given[i] as number;
      pads[axis + perm.length] = given[i + perm.length] as number;
    });
    if (!list) return this.#instead(node, [of], perm, { ...node.attributes, pads });
    return this.#instead(node, [of, this.#define(`${list}_moved`, int64(pads)), ...rest], perm);
  }

  #slice(node: Node, { of, perm }: Turned): Node[] | undefined {
    const [, starts = "", end = "", list = "", steps] = node.input;
    const counted = (axes: readonly number[]) => axes.map((axis) => perm[axis < 0 ? axis + perm.length : axis] as number);
    const all = (length: number) => Array.from({ length }, (_, i) => i);
    if (!starts) {
      const { starts: from = [], axes = all((from as readonly number[]).length) } = node.attributes as Record<string, readonly number[]>;
      return this.#instead(node, [of], perm, { ...node.attributes, axes: counted(axes) });
    }
    const count = this.#model.inferred.get(starts)?.shape?.[0];
    const axes = list ? integersOf(this.#model.inferred.get(list)) : typeof count === "number" ? all(count) : undefined;
    if (!axes) return undefined;
    const moved = this.#define(`${list || starts}_moved`, int64(counted(axes)));
    return this.#instead(node, [of, starts, end, moved, ...(steps ? [steps] : [])], perm);
  }

  /** Reduced axes leave the order of the others. */
  #reduce(node: Node, { of, perm }: Turned): Node[] | undefined {
    const { axes: given, keepdims = 1 } = node.attributes as { axes?: readonly number[]; keepdims?: number };
    const [, list] = node.input;
    const axes = given ?? (list ? integersOf(this.#model.inferred.get(list)) : undefined);
    if (!axes || axes.length === 0) return undefined;
    const counted = axes.map((axis) => (axis < 0 ? axis + perm.length : axis));
    const moved = counted.map((axis) => perm[axis] as number);
    const rest = perm.filter((axis) => !moved.includes(axis));
    const order = keepdims ? perm : rest.map((axis) => rest.filter((other) => other < axis).length);
    const attributes = given ? { ...node.attributes, axes: moved } : node.attributes;
    const input = list ? [of, this.#define(`${list}_moved`, int64(moved))] : [of];
    if (isIdentity(order)) return [edited(node, { input, attributes })];
    return this.#instead(node, input, order, attributes);
  }
}

const int64 = (values: readonly number[]): Tensor => ({
  dtype: "int64",
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
});
