import { makeNode, type Node } from "../../graph/graph.ts";
import { dataType } from "../../graph/types.ts";
import { Edits, type Model } from "../../optimize/model.ts";
import { applied } from "./activations.ts";
import { byteOf, dequantized, quantizedFor } from "./quantization.ts";

/** A value that is a function of one tensor of bytes, element by element: what it is for each of the 256. */
interface Known {
  of: string;
  values: Float32Array;
  /** Steps from the bytes; a byte that is only dequantized has none. */
  steps: number;
}

/** A number, or a function of bytes. */
type Traced = number | Known | undefined;

const BINARY: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
  Max: Math.max,
  Min: Math.min,
};
const UNARY: Readonly<Record<string, (x: number) => number>> = {
  Abs: Math.abs,
  Neg: (x) => -x,
  Sqrt: Math.sqrt,
  Reciprocal: (x) => 1 / x,
};

/**
 * Makes a table of what stands between a DequantizeLinear and a QuantizeLinear where that is a function of each byte alone: an activation, in one
 * operator or spelled out, with or without quantization between its steps.
 */
export async function byteFunctions(model: Model): Promise<boolean> {
  const edits = new Edits(model);
  const known = new Map<string, Traced>();
  for (const node of model.main.nodes) {
    if (node.op_type !== "QuantizeLinear" || node.domain !== "") continue;
    const q = await quantizedFor(model, node);
    const found = q && (await trace(model, node.input[0] as string, known));
    if (!q || !found || typeof found === "number" || found.steps === 0) continue;
    const table = model.fresh(`${q.name}_table`);
    model.define(table, { dtype: "uint8", shape: [256], data: Uint8Array.from(found.values, (x) => byteOf(x, q) & 255) }, edits);
    edits.replace(node, [makeNode("QLookup", [found.of, table], [q.name], { to: dataType(q.dtype) }, "edgeslim")]);
  }
  return edits.apply();
}

async function trace(model: Model, name: string, known: Map<string, Traced>): Promise<Traced> {
  if (known.has(name)) return known.get(name);
  known.set(name, undefined); // of what a graph with a loop would say
  const traced = await traceOf(model, name, known);
  known.set(name, traced);
  return traced;
}

async function traceOf(model: Model, name: string, known: Map<string, Traced>): Promise<Traced> {
  const constant = model.inferred.get(name)?.constant;
  if (constant) return constant.dtype === "float32" && constant.data.length === 1 ? Number(constant.data[0]) : undefined;
  const node = model.producer(name);
  if (!node || node.output[0] !== name) return undefined;
  if (node.domain === "" && node.op_type === "DequantizeLinear") return dequantizing(model, node, name, known);
  const f = functionOf(node);
  if (!f || node.input.length !== f.length) return undefined;
  const inputs: Traced[] = [];
  for (const input of node.input) inputs.push(await trace(model, input, known));
  const functions = inputs.filter((input): input is Known => typeof input === "object");
  const [first] = functions;
  if (inputs.includes(undefined) || !first || functions.some(({ of }) => of !== first.of)) return undefined;
  if (inputs.length > 1 && !isWhole(model, first.of, name)) return undefined;
  const at = (input: Traced, i: number) => (typeof input === "number" ? input : ((input as Known).values[i] as number));
  const values = first.values.map((_, i) => f(...(inputs.map((input) => at(input, i)) as [number, number])));
  return { of: first.of, values, steps: 1 + Math.max(...functions.map(({ steps }) => steps)) };
}

function functionOf(node: Node): ((a: number, b: number) => number) | ((x: number) => number) | undefined {
  if (node.domain === "edgeslim" && node.op_type === "Activate") return applied(node);
  return node.domain === "" ? (BINARY[node.op_type] ?? UNARY[node.op_type]) : undefined;
}

/** Whether a value has the shape of the bytes that it is made of: a constant of more axes would have given it others. */
function isWhole(model: Model, of: string, name: string): boolean {
  const [a, b] = [of, name].map((each) => model.inferred.get(each)?.shape);
  return a !== undefined && b?.length === a.length && a.every((d, i) => d === b[i]);
}

/** Bytes that are no function of others, or those that a QuantizeLinear makes of one. */
async function dequantizing(model: Model, node: Node, name: string, known: Map<string, Traced>): Promise<Traced> {
  const x = await dequantized(model, name);
  if (x?.scale.length !== 1) return undefined;
  const number = (byte: number) =>
    Math.fround(((x.dtype === "int8" ? (byte << 24) >> 24 : byte) - (x.zero[0] as number)) * (x.scale[0] as number));
  const before = model.producer(x.name);
  const q = before?.op_type === "QuantizeLinear" && before.domain === "" ? await quantizedFor(model, before) : undefined;
  const inner = q && before && (await trace(model, before.input[0] as string, known));
  if (q && inner && typeof inner === "object")
    return { of: inner.of, values: inner.values.map((value) => number(byteOf(value, q) & 255)), steps: inner.steps + 1 };
  return model.constants.has(node.input[0] as string)
    ? undefined
    : { of: x.name, values: Float32Array.from({ length: 256 }, (_, i) => number(i)), steps: 0 };
}
