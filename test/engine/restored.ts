/** What a compressed model's graph makes of each weight of its source: computed here in doubles, from an independent decoder's reading. */
import { type DecodedGraph, type DecodedNode, type DecodedTensor, everyGraph, numbersOf, readOnnx } from "../kit/readonnx.ts";
import { affine8, bfloat16, float16, int4Block, int8PerChannel, int8PerTensor, NF4, nf4, sqnr } from "../kit/reference.ts";

export interface Restored {
  name: string;
  dims: number[];
  original: Float64Array;
  restored: Float64Array;
  /** Round to nearest in double precision, in the encoding that the output names. */
  reference: ArrayLike<number>;
  /** dB. */
  sqnr: number;
  referenceSqnr: number;
  kind: "half" | "int8" | "int4" | "affine8" | "nf4";
}

interface Value {
  dims: number[];
  data: Float64Array;
  kind?: Restored["kind"];
  axis?: number | null;
  half?: "float16" | "bfloat16";
  integer?: "int8" | "uint8";
  channels?: readonly [from: number, to: number];
}

type Scope = readonly DecodedGraph[];

/** Every float weight of `source` whose definition in `output` is another one. */
export function restoredWeights(source: Uint8Array, output: Uint8Array): Restored[] {
  const [before, after] = [readOnnx(source), readOnnx(output)];
  const scopes = pairs(before, after, [after]);
  return scopes.flatMap(([graph, scope]) => weightsOf(graph).flatMap((weight) => compare(weight, scope, graph) ?? []));
}

/** Graphs of the source with the scope that each has in the output: subgraphs keep their order. */
function pairs(before: DecodedGraph, after: DecodedGraph, scope: Scope): [DecodedGraph, Scope][] {
  const inner = (graph: DecodedGraph) =>
    graph.nodes.flatMap((node) => [...node.attributes.values()].filter((a) => typeof a === "object" && "nodes" in a) as DecodedGraph[]);
  const [mine, theirs] = [inner(before), inner(after)];
  if (mine.length !== theirs.length) throw new Error(`${mine.length} subgraphs became ${theirs.length}`);
  return [[before, scope], ...mine.flatMap((graph, i) => pairs(graph, theirs[i] as DecodedGraph, [theirs[i] as DecodedGraph, ...scope]))];
}

const FLOATS = [1, 10, 11, 16];

function weightsOf(graph: DecodedGraph): DecodedTensor[] {
  const constants = graph.nodes.flatMap(({ op_type, outputs, attributes }) => {
    const value = op_type === "Constant" ? attributes.get("value") : undefined;
    return typeof value === "object" && "data_type" in value ? [{ ...value, name: outputs[0] ?? "" }] : [];
  });
  return [...graph.initializers.values(), ...constants].filter((t) => FLOATS.includes(t.data_type));
}

function compare(weight: DecodedTensor, scope: Scope, before: DecodedGraph): Restored | undefined {
  const value = madeOf(weight, scope, before);
  if (!value.kind) return undefined;
  const original = numbersOf(weight);
  const reference = rounded(Float32Array.from(original), weight.dims, value);
  return {
    name: weight.name,
    dims: weight.dims,
    original,
    restored: value.data,
    reference,
    sqnr: sqnr(original, value.data),
    referenceSqnr: sqnr(original, reference),
    kind: value.kind,
  };
}

/** The nearest that the encoding can hold. */
function rounded(
  single: Float32Array,
  dims: readonly number[],
  { kind, axis, half, integer = "int8", channels = [0, 0] }: Value,
): ArrayLike<number> {
  if (kind === "half") return (half === "float16" ? float16(single) : bfloat16(single)).dequantized;
  if (kind === "int4") return int4Block(single, dims as [number, number], axis === 0 ? "kn" : "nk").dequantized;
  if (kind === "nf4") return nf4(single, dims as [number, number]).dequantized;
  if (kind === "affine8") return affine8(single, dims, channels, integer).dequantized;
  return (axis === null || axis === undefined ? int8PerTensor(single) : int8PerChannel(single, dims, axis)).dequantized;
}

/** Whether it is one of the few constants, a mask or an epsilon, that float16 does not hold: it counts as kept, and what it is cast to is clipped. */
const isClipped = (data: Float64Array): boolean =>
  data.length < 16 && data.some((x) => Math.abs(x) > 65504 || (x !== 0 && Math.abs(x) < 2 ** -24));

/** Whether a name is a part of a weight's, numbered where it was taken. */
const isPart = (name: string | undefined, weight: string, part: string): boolean =>
  name?.startsWith(`${weight}_${part}`) === true && /^(_\d+)?$/.test(name.slice(weight.length + part.length + 1));

function madeOf(weight: DecodedTensor, scope: Scope, before: DecodedGraph): Value {
  const { name, dims } = weight;
  const outer = scope.at(-1) as DecodedGraph;
  const nodes = [...scope].flatMap((graph) => [...everyGraph(graph)]).flatMap((graph) => graph.nodes);
  const product = nodes.find(
    ({ op_type, inputs }) =>
      (op_type === "MatMulNBits" && isPart(inputs[1], name, "Q4")) || (op_type === "MatMulBnb4" && isPart(inputs[1], name, "Bnb4")),
  );
  if (product)
    return product.op_type === "MatMulBnb4" ? inLine(product, outer, dims) : blockwise(product, outer, dims, isTurned(before, name));
  const [owner] = scope.filter(({ initializers }) => [...initializers.keys()].some((each) => isPart(each, name, "zero_point")));
  if (owner) return integers(owner, weight, isTurned(before, name));
  const half = [...outer.initializers.values()].find((each) => isPart(each.name, name, "float16") && each.data_type === 10);
  const isDefined = scope.some((graph) => graph.initializers.has(name) || graph.nodes.some(({ outputs }) => outputs.includes(name)));
  // A model that computes in float16 has no float32 weight behind it.
  if (half && !isDefined)
    return { dims, data: numbersOf(half), ...(isClipped(numbersOf(weight)) ? {} : { kind: "half", half: "float16" }) };
  return evaluate(name, scope);
}

/** Whether the source reads a weight turned round, by Gemm with transB, and in no other way. */
function isTurned({ nodes }: DecodedGraph, name: string): boolean {
  const readers = nodes.filter(({ inputs }) => inputs.includes(name));
  return readers.length > 0 && readers.every(({ op_type, attributes }) => op_type === "Gemm" && attributes.get("transB") === 1);
}

/** The value of a name, from what defines it. */
function evaluate(name: string, scope: Scope): Value {
  for (const [i, graph] of scope.entries()) {
    const tensor = graph.initializers.get(name);
    if (tensor) return { dims: tensor.dims, data: numbersOf(tensor), ...halfOf(tensor) };
    const node = graph.nodes.find((n) => n.outputs.includes(name));
    if (node) return computed(node, scope.slice(i));
  }
  throw new Error(`Nothing defines ${name}`);
}

const halfOf = ({ data_type }: DecodedTensor): Partial<Value> =>
  data_type === 10 ? { half: "float16" } : data_type === 16 ? { half: "bfloat16" } : {};

function computed(node: DecodedNode, scope: Scope): Value {
  const input = (i: number) => evaluate(node.inputs[i] as string, scope);
  switch (node.op_type) {
    case "Constant": {
      const tensor = node.attributes.get("value") as DecodedTensor;
      return { dims: tensor.dims, data: numbersOf(tensor) };
    }
    case "Identity":
    case "Unsqueeze":
      return input(0);
    case "Cast": {
      const from = input(0);
      const { half, ...value } = from;
      return half && !from.kind ? { ...value, kind: "half", half } : from; // halves end here; a cast back to the source's type rounds below what is measured
    }
    case "DequantizeLinear": {
      const axis = node.attributes.get("axis") as number | undefined;
      return dequantized(input(0), input(1), axis ?? null);
    }
    case "Mul": {
      const [q, scale] = [input(0), input(1)];
      const unsqueeze = scope.flatMap((g) => g.nodes).find((n) => n.outputs[0] === node.inputs[1]);
      const trailing = unsqueeze ? (unsqueeze.attributes.get("axes") as number[]).length : 0;
      return dequantized(q, scale, scale.dims.length === 0 ? null : q.dims.length - 1 - trailing);
    }
    default:
      throw new Error(`A weight comes out of ${node.op_type}`);
  }
}

function dequantized(q: Value, scale: Value, axis: number | null): Value {
  const inner = axis === null ? 1 : q.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const channels = axis === null ? 1 : (q.dims[axis] as number);
  return { dims: q.dims, data: q.data.map((v, i) => v * (scale.data[Math.floor(i / inner) % channels] as number)), kind: "int8", axis };
}

/** https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits */
function blockwise(node: DecodedNode, outer: DecodedGraph, dims: readonly number[], turned: boolean): Value {
  const [k, n] = [node.attributes.get("K") as number, node.attributes.get("N") as number];
  const packed = outer.initializers.get(node.inputs[1] as string)?.bytes as Uint8Array;
  const scaleName = outer.nodes.find((cast) => cast.outputs[0] === node.inputs[2])?.inputs[0] ?? (node.inputs[2] as string);
  const scales = numbersOf(outer.initializers.get(scaleName) as DecodedTensor);
  const blocks = Math.ceil(k / 32);
  const isColumn = k === n ? !turned : dims[0] === k;
  const data = new Float64Array(k * n);
  for (let row = 0; row < n; row++) {
    for (let i = 0; i < k; i++) {
      const byte = packed[(row * blocks + (i >> 5)) * 16 + ((i & 31) >> 1)] as number;
      const code = (i & 1 ? byte >> 4 : byte & 15) - 8;
      data[isColumn ? i * n + row : row * k + i] = code * (scales[row * blocks + (i >> 5)] as number);
    }
  }
  return { dims: [...dims], data, kind: "int4", axis: isColumn ? 0 : 1 };
}

/** https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulBnb4 */
function inLine(node: DecodedNode, outer: DecodedGraph, dims: readonly number[]): Value {
  const [k, n] = [node.attributes.get("K") as number, node.attributes.get("N") as number];
  const packed = outer.initializers.get(node.inputs[1] as string)?.bytes as Uint8Array;
  const scaleName = outer.nodes.find((cast) => cast.outputs[0] === node.inputs[2])?.inputs[0] ?? (node.inputs[2] as string);
  const absmax = numbersOf(outer.initializers.get(scaleName) as DecodedTensor);
  const data = new Float64Array(k * n);
  for (let i = 0; i < k * n; i++) {
    const byte = packed[i >> 1] as number;
    data[(i % k) * n + Math.floor(i / k)] = (NF4[i & 1 ? byte & 15 : byte >> 4] as number) * (absmax[i >> 6] as number);
  }
  return { dims: [...dims], data, kind: "nf4" };
}

/** Integers with scales and zero points, which a graph has as parts; the last two axes may be the other way round. */
function integers({ initializers }: DecodedGraph, { name, dims }: DecodedTensor, turned: boolean): Value {
  const part = (what: string) => [...initializers.values()].find((each) => isPart(each.name, name, what)) as DecodedTensor;
  const [codes, scale, zero] = [part("quantized"), part("scale"), part("zero_point")];
  const [rows = 0, columns = 0] = dims.slice(-2);
  const isOther = rows === columns ? turned : codes.dims.at(-1) !== columns;
  const stored = numbersOf(codes);
  const at = (i: number) => i - (i % (rows * columns)) + (i % columns) * rows + (Math.floor(i / columns) % rows);
  const values = isOther ? stored.map((_, i) => stored[at(i)] as number) : stored;
  const from = Math.max(
    0,
    dims.findIndex((_, i) => scale.dims.every((d, j) => dims[i + j] === d)),
  );
  const channels = [from, from + scale.dims.length] as const;
  const size = (list: readonly number[]) => list.reduce((a, b) => a * b, 1);
  const channel = (i: number) => Math.floor(i / size(dims.slice(channels[1]))) % size(scale.dims);
  const [scales, zeros] = [numbersOf(scale), numbersOf(zero)];
  const data = values.map((code, i) => (code - (zeros[channel(i)] as number)) * (scales[channel(i)] as number));
  return { dims, data, kind: "affine8", integer: zero.data_type === 3 ? "int8" : "uint8", channels };
}
