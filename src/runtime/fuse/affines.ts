import { makeNode, type Node } from "../../graph/graph.ts";
import { floatsOf } from "../../ops/value.ts";
import { Edits, type Model } from "../../optimize/model.ts";

/** `x · factors + summands`, lists of one number or of one for each place along the last axis. */
interface Affine {
  x: string;
  factors: readonly number[];
  summands: readonly number[];
  nodes: readonly Node[];
}

/** Makes one pass of several in a row that multiply by constants and add them: numbers, or rows along the last axis. */
export function affines(model: Model): boolean {
  const edits = new Edits(model);
  for (const node of model.main.nodes.toReversed()) {
    if (edits.isTouched(node)) continue;
    const [y = ""] = node.output;
    const found = affineOf(model, node, edits);
    if (!found || found.nodes.length < 2) continue;
    if (![...found.factors, ...found.summands].every((v) => Number.isFinite(Math.fround(v)))) continue;
    const width = Math.max(found.factors.length, found.summands.length);
    const lists = [found.factors, found.summands].map((list, i) => {
      const name = model.fresh(`${y}_${i ? "summands" : "factors"}`);
      const data = Float32Array.from({ length: width }, (_, j) => list[j % list.length] as number);
      model.define(name, { dtype: "float32", shape: [width], data }, edits);
      return name;
    });
    for (const each of found.nodes) edits.replace(each, []);
    edits.replace(node, [makeNode("Affine", [found.x, ...lists], [y], {}, "edgeslim")]);
  }
  return edits.apply();
}

const both = (a: readonly number[], b: readonly number[], f: (a: number, b: number) => number): number[] =>
  Array.from({ length: Math.max(a.length, b.length) }, (_, i) => f(a[i % a.length] as number, b[i % b.length] as number));

/** What a node and those before it, which nobody else reads, make of a value. */
function affineOf(model: Model, node: Node | undefined, edits: Edits): Affine | undefined {
  if (node?.domain !== "" || !/^(Mul|Add|Sub|Div)$/.test(node.op_type) || edits.isTouched(node)) return undefined;
  const side = node.input.findIndex((name) => !model.inferred.get(name)?.constant);
  const [x = "", other = ""] = [node.input[side], node.input[1 - side]];
  const { dtype, shape } = model.inferred.get(x) ?? {};
  const constant = model.inferred.get(other);
  const list = floatsOf(constant);
  if (node.input.length !== 2 || dtype !== "float32" || constant?.dtype !== "float32" || !shape || !list || list.length === 0)
    return undefined;
  const isScalar = list.length === 1 && (constant.shape?.length ?? 0) <= shape.length;
  const isRow = list.length === shape.at(-1) && constant.shape?.at(-1) === list.length && constant.shape.length <= shape.length;
  if (!isScalar && !isRow) return undefined;
  const before = (model.isPrivate(x) ? affineOf(model, model.producer(x), edits) : undefined) ?? {
    x,
    factors: [1],
    summands: [0],
    nodes: [],
  };
  const { factors, summands } = before;
  const next = { x: before.x, nodes: [...before.nodes, node] };
  const times = (by: readonly number[]) => ({
    ...next,
    factors: both(factors, by, (a, b) => a * b),
    summands: both(summands, by, (a, b) => a * b),
  });
  const plus = (by: readonly number[]) => ({ ...next, factors, summands: both(summands, by, (a, b) => a + b) });
  if (node.op_type === "Mul") return times(list);
  if (node.op_type === "Add") return plus(list);
  if (node.op_type === "Div") return side === 0 && list.every((v) => v !== 0) ? times(list.map((v) => 1 / v)) : undefined;
  if (side === 0) return plus(list.map((v) => -v));
  return { ...next, factors: factors.map((v) => -v), summands: both(summands, list, (a, b) => b - a) };
}
