import { edited, makeNode, type Node } from "../graph/graph.ts";
import { elementsOf, isStatic, type Value } from "../ops/value.ts";
import { Edits, type Model } from "./model.ts";

/** Gives a Reshape whose target is known, but for one dimension, that target as a constant: what computed it is read no more. */
export function reshapes(model: Model): boolean {
  const edits = new Edits(model);
  for (const node of model.main.nodes) {
    const [x = "", shape = ""] = node.input;
    if (node.op_type !== "Reshape" || node.domain !== "" || !shape || model.constants.has(shape) || node.attributes.allowzero === 1)
      continue;
    const target = constantTarget(model.inferred.get(x), model.inferred.get(shape));
    if (!target) continue;
    const name = model.fresh(`${node.output[0]}_shape`);
    model.define(name, { dtype: "int64", shape: [target.length], data: BigInt64Array.from(target, BigInt) }, edits);
    edits.replace(node, [edited(node, { input: [x, name] })]);
  }
  return edits.apply();
}

/** Each dimension as a number: its size, 0 where it is the input's at the same place, −1 for the one that is left. */
function constantTarget(x: Value | undefined, shape: Value | undefined): number[] | undefined {
  const dims = elementsOf(shape);
  if (!dims) return undefined;
  const target = dims.map((d, i) => {
    if (typeof d === "number") return d;
    return d !== undefined && x?.shape?.[i] === d ? 0 : -1;
  });
  // A dimension of no elements would be read as a copy of the input's, and beside one, as a copied one may be, a −1 could be anything.
  const open = target.filter((d) => d === -1).length;
  if (dims.includes(0) || x?.shape?.includes(0) || open > 1 || (open === 1 && target.includes(0))) return undefined;
  return target;
}

/** Pads where a Concat puts values that are all the same beside another: they need not be in the file, nor be made. */
export function fills(model: Model): boolean {
  const edits = new Edits(model);
  for (const node of model.main.nodes) {
    if (node.op_type !== "Concat" || node.domain !== "" || node.input.length < 2 || model.opset < 11) continue;
    const made = padOf(model, node);
    if (!made) continue;
    const pads = model.fresh(`${node.output[0]}_pads`);
    model.define(pads, { dtype: "int64", shape: [made.pads.length], data: BigInt64Array.from(made.pads, BigInt) }, edits);
    const value = made.value === 0 ? [] : [model.fresh(`${node.output[0]}_fill`)];
    for (const name of value) model.define(name, { dtype: "float32", shape: [], data: Float32Array.of(made.value) }, edits);
    const pad = makeNode("Pad", [made.data, pads, ...value], [node.output[0] as string]);
    edits.replace(node, [{ ...pad, name: node.name || pad.name }]);
  }
  return edits.apply();
}

function padOf(model: Model, node: Node): { data: string; pads: number[]; value: number } | undefined {
  const values = node.input.map((name) => model.inferred.get(name));
  const uniform = node.input.map((name, i) => fillOf(model, name, values[i]));
  const [at, ...others] = uniform.flatMap((fill, i) => (fill === undefined ? [i] : []));
  const value = uniform.find((fill) => fill !== undefined);
  if (at === undefined || others.length > 0 || value === undefined) return undefined;
  const data = values[at];
  const rank = data?.shape?.length;
  const axis = node.attributes.axis;
  if (data?.dtype !== "float32" || rank === undefined || typeof axis !== "number") return undefined;
  const counted = axis < 0 ? axis + rank : axis;
  const size = (from: number, to: number): number =>
    values.slice(from, to).reduce((n, each) => n + (isStatic(each?.shape) ? (each.shape[counted] as number) : Number.NaN), 0);
  const [before, after] = [size(0, at), size(at + 1, values.length)];
  if (!uniform.every((fill, i) => i === at || Object.is(fill, value)) || Number.isNaN(before + after)) return undefined;
  const pads = new Array<number>(2 * rank).fill(0);
  pads[counted] = before;
  pads[rank + counted] = after;
  return { data: node.input[at] as string, pads, value };
}

/** The value of a float32 tensor of which a ConstantOfShape made every element. */
function fillOf(model: Model, name: string, value: Value | undefined): number | undefined {
  const producer = model.producer(name);
  if (producer?.op_type !== "ConstantOfShape" || producer.domain !== "" || value?.dtype !== "float32") return undefined;
  const fill = model.known.tensor(producer, "value")?.constant;
  return fill ? Number(fill.data[0]) : 0;
}
