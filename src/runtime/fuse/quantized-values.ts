import { edited, makeNode, type Node } from "../../graph/graph.ts";
import { dataType } from "../../graph/types.ts";
import { mayEqual } from "../../ops/dims.ts";
import { floatsOf } from "../../ops/value.ts";
import { Edits, type Model } from "../../optimize/model.ts";
import { channelsLastAround } from "./channels-last.ts";
import { byteOf, dequantized, type Quantized, quantizedBy } from "./quantization.ts";
import { endOf, limits } from "./quantized-end.ts";

/** The least and greatest byte that a result may be, where it is clipped. */
type Bounds = [low: number, high: number];

/** Operators that hand on what they are given, so that bytes do as well as floats. */
const MOVES = /^(Reshape|Flatten|Squeeze|Unsqueeze|Transpose|Slice|Split|Concat|MaxPool|Expand|Gather|Resize|Upsample|Pad)$/;

/** What stands between dequantized tensors and a QuantizeLinear, done on bytes: a function of one, a sum or product of two, a move. */
export async function quantizedValues(model: Model): Promise<boolean> {
  const edits = new Edits(model);
  for (const node of model.main.nodes) {
    if (edits.isTouched(node)) continue;
    if (node.op_type === "Split" && node.domain === "" && (await split(model, edits, node))) continue;
    if (node.output.slice(1).some(Boolean)) continue;
    const end = await endOf(model, node);
    const { bounds, rest } = limits(end.activation, end.q);
    if (!end.q || rest || end.nodes.some((each) => edits.isTouched(each))) continue;
    const nodes = await onBytes(model, edits, node, end.q, bounds);
    if (!nodes) continue;
    for (const each of end.nodes) edits.replace(each, []);
    edits.replace(node, nodes);
  }
  return edits.apply();
}

/** Parts of bytes are bytes, where each is quantized as the whole is. */
async function split(model: Model, edits: Edits, node: Node): Promise<boolean> {
  const x = await dequantized(model, node.input[0] as string);
  const ends = await Promise.all(node.output.map((name) => quantizedBy(model, name)));
  if (x?.scale.length !== 1 || !ends.every((end) => end && isSame(x, end.q))) return false;
  for (const end of ends) if (end) edits.replace(end.node, []);
  const output = ends.map((end) => end?.q.name ?? "");
  edits.replace(node, [edited(node, { input: [x.name, ...node.input.slice(1)], output })]);
  return true;
}

const isSame = (x: Quantized, q: Quantized): boolean => x.dtype === q.dtype && x.scale[0] === q.scale[0] && x.zero[0] === q.zero[0];

async function onBytes(model: Model, edits: Edits, node: Node, q: Quantized, bounds?: Bounds): Promise<Node[] | undefined> {
  const inputs = await Promise.all(node.input.map((name) => (name ? dequantized(model, name) : undefined)));
  const [a, b] = inputs;
  if (a?.scale.length !== 1) return undefined;
  if (node.domain !== "") return undefined;
  if ((node.op_type === "Add" || node.op_type === "Mul") && b?.scale.length === 1) return binary(model, node, a, b, q, bounds);
  if (bounds) return undefined;
  if (/^(Average|GlobalAverage)Pool$/.test(node.op_type)) return pool(model, node, a, q);
  if (!MOVES.test(node.op_type) || (/^(Resize|Upsample)$/.test(node.op_type) && (node.attributes.mode ?? "nearest") !== "nearest"))
    return undefined;
  return moved(model, edits, node, inputs, q);
}

/** Bytes that say by other scales what those of x say by theirs. */
function requantized(model: Model, edits: Edits, x: Quantized, q: Quantized): Node {
  const [[x_scale = 1], [x_zero = 0]] = [x.scale, x.zero];
  const data = Uint8Array.from({ length: 256 }, (_, byte) => {
    const value = x.dtype === "int8" ? (byte << 24) >> 24 : byte;
    return byteOf(Math.fround((value - x_zero) * x_scale), q) & 255;
  });
  const table = model.fresh(`${q.name}_table`);
  model.define(table, { dtype: "uint8", shape: [256], data }, edits);
  return makeNode("QLookup", [x.name, table], [q.name], { to: dataType(q.dtype) }, "edgeslim");
}

/** Both of one type; one of them may be repeated. */
function binary(model: Model, node: Node, x: Quantized, z: Quantized, q: Quantized, bounds?: Bounds): Node[] | undefined {
  if (x.dtype !== z.dtype || x.dtype !== q.dtype) return undefined;
  const [y, ...shapes] = [node.output[0], x.name, z.name].map((name) => model.inferred.get(name as string)?.shape);
  if (!y || !shapes[0] || !shapes[1]) return undefined;
  const isFull = shapes.map(
    (shape) => shape !== undefined && shape.length === y.length && shape.every((d, i) => d === y[i] || (d !== 1 && mayEqual(d, y[i]))),
  );
  if (!isFull.includes(true)) return undefined;
  const [a, b] = isFull[0] ? [x, z] : [z, x];
  const attributes = {
    to: dataType(q.dtype),
    kind: node.op_type,
    ...{ a_scale: a.scale[0] as number, a_zero: a.zero[0] as number, b_scale: b.scale[0] as number, b_zero: b.zero[0] as number },
    ...{ y_scale: q.scale[0] as number, y_zero: q.zero[0] as number },
    ...(bounds && { low: bounds[0], high: bounds[1] }),
  };
  return [makeNode("QBinary", [a.name, b.name], [q.name], attributes, "edgeslim")];
}

function pool(model: Model, node: Node, x: Quantized, q: Quantized): Node[] | undefined {
  const rank = model.inferred.get(x.name)?.shape?.length;
  if (x.dtype !== q.dtype || (rank !== 3 && rank !== 4)) return undefined;
  const attributes = {
    ...node.attributes,
    to: dataType(q.dtype),
    ...{ x_zero: x.zero[0] as number, y_zero: q.zero[0] as number, scale: Math.fround((x.scale[0] as number) / (q.scale[0] as number)) },
  };
  return channelsLastAround(model, { ...node, op_type: `Q${node.op_type}`, attributes }, [x.name], q.name, rank);
}

/** Bytes that are moved as they are, where their scales are the result's, or after they have been turned into what those say. */
function moved(model: Model, edits: Edits, node: Node, inputs: readonly (Quantized | undefined)[], q: Quantized): Node[] | undefined {
  const count = node.op_type === "Concat" ? node.input.length : 1;
  const before: Node[] = [];
  const names: string[] = [];
  for (const [i, x] of inputs.slice(0, count).entries()) {
    if (x?.scale.length !== 1) return undefined;
    const name = isSame(x, q) ? x.name : model.fresh(`${q.name}_${i}`);
    if (name !== x.name) before.push(requantized(model, edits, x, { ...q, name }));
    names.push(name);
  }
  if (node.op_type === "MaxPool") {
    const rank = model.inferred.get(node.input[0] as string)?.shape?.length;
    if (rank !== 3 && rank !== 4) return undefined;
    const pool = { ...node, op_type: "QMaxPool", attributes: { ...node.attributes, to: dataType(q.dtype) } };
    return [...before, ...channelsLastAround(model, pool, [names[0] as string], q.name, rank)];
  }
  const whole = edited(node, { input: [...names, ...node.input.slice(count)], output: [q.name] });
  const last = node.op_type === "Pad" ? padded(model, edits, whole, q) : whole;
  return last && [...before, last];
}

/** A Pad of bytes, whose constant is a byte too. */
function padded(model: Model, edits: Edits, node: Node, q: Quantized): Node | undefined {
  const [x = "", pads = "", filler = "", ...axes] = node.input;
  if ((node.attributes.mode ?? "constant") !== "constant") return node;
  const given = filler ? floatsOf(model.inferred.get(filler)) : [(node.attributes.value as number | undefined) ?? 0];
  const value = given && byteOf(given[0] as number, q);
  if (value === undefined) return undefined;
  if (!pads) return edited(node, { attributes: { ...node.attributes, value } });
  const name = model.fresh(`${q.name}_filler`);
  model.define(name, { dtype: q.dtype, shape: [], data: (q.dtype === "int8" ? Int8Array : Uint8Array).of(value) }, edits);
  return edited(node, { input: [x, pads, name, ...axes] });
}

/** Joins tables: a function of what another one gave. */
export async function joinedLookups(model: Model): Promise<boolean> {
  const edits = new Edits(model);
  for (const node of model.main.nodes) {
    if (!isLookup(node) || edits.isTouched(node)) continue;
    const before = model.producer(node.input[0] as string);
    const [first, second] = before && isLookup(before) ? [await tableOf(model, before), await tableOf(model, node)] : [];
    if (!before || !first || !second) continue;
    const name = model.fresh(`${node.output[0]}_table`);
    model.define(name, { dtype: "uint8", shape: [256], data: first.map((byte) => second[byte] as number) }, edits);
    edits.replace(node, [edited(node, { input: [before.input[0] as string, name] })]);
  }
  return edits.apply();
}

const isLookup = ({ domain, op_type }: Node): boolean => domain === "edgeslim" && op_type === "QLookup";

const tableOf = async (model: Model, { input }: Node): Promise<Uint8Array | undefined> =>
  (await model.read(input[1] as string, 256))?.data as Uint8Array | undefined;

/** Gives the table of what follows a product to its kernel. */
export function tables(model: Model): boolean {
  const edits = new Edits(model);
  for (const node of model.main.nodes) {
    if (!isLookup(node) || edits.isTouched(node)) continue;
    const [x = "", table = ""] = node.input;
    const before = model.producer(x);
    if (before?.domain !== "edgeslim" || !/^Q(Conv|MatMul)$/.test(before.op_type) || !model.isPrivate(x) || before.input[4]) continue;
    if (edits.isTouched(before) || !/byte/.test(String(before.attributes.out))) continue;
    const input = [...before.input.slice(0, 4), table];
    edits.replace(before, []);
    edits.replace(node, [
      { ...before, input, output: node.output, attributes: { ...before.attributes, to: node.attributes.to as number } },
    ]);
  }
  return edits.apply();
}
