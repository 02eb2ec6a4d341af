/** What a compressed model's graph makes of each weight of its source: computed here in doubles, from an independent decoder's reading. */
import { type DecodedGraph, type DecodedNode, type DecodedTensor, everyGraph, numbersOf, readOnnx } from "../kit/readonnx.ts";
import { bfloat16, float16, int4Block, int8PerChannel, int8PerTensor, sqnr } from "../kit/reference.ts";

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
  kind: "half" | "int8" | "int4";
}

interface Value {
  dims: number[];
  data: Float64Array;
  kind?: Restored["kind"];
  axis?: number | null;
  half?: "float16" | "bfloat16";
}

type Scope = readonly DecodedGraph[];

/** Every float weight of `source` whose definition in `output` is another one. */
export function restoredWeights(source: Uint8Array, output: Uint8Array): Restored[] {
  const [before, after] = [readOnnx(source), readOnnx(output)];
  const scopes = pairs(before, after, [after]);
  return scopes.flatMap(([graph, scope]) => weightsOf(graph).flatMap((weight) => compare(weight, scope) ?? []));
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

function compare(weight: DecodedTensor, scope: Scope): Restored | undefined {
  const product = [...scope]
    .flatMap((graph) => [...everyGraph(graph)])
    .flatMap((g) => g.nodes)
    .find((n) => n.op_type === "MatMulNBits" && n.inputs[1]?.startsWith(`${weight.name}_Q4`));
  const value = product ? blockwise(product, scope, weight.dims) : evaluate(weight.name, scope);
  if (!value.kind) return undefined;
  const original = numbersOf(weight);
  const single = Float32Array.from(original);
  const reference = (() => {
    if (value.kind === "half") return (value.half === "float16" ? float16(single) : bfloat16(single)).dequantized;
    if (value.kind === "int4") return int4Block(single, weight.dims as [number, number], value.axis === 0 ? "kn" : "nk").dequantized;
    return (value.axis === null || value.axis === undefined ? int8PerTensor(single) : int8PerChannel(single, weight.dims, value.axis))
      .dequantized;
  })();
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
function blockwise(node: DecodedNode, scope: Scope, dims: readonly number[]): Value {
  const outer = scope.at(-1) as DecodedGraph;
  const [k, n] = [node.attributes.get("K") as number, node.attributes.get("N") as number];
  const packed = outer.initializers.get(node.inputs[1] as string)?.bytes as Uint8Array;
  const scaleName = outer.nodes.find((cast) => cast.outputs[0] === node.inputs[2])?.inputs[0] ?? (node.inputs[2] as string);
  const scales = numbersOf(outer.initializers.get(scaleName) as DecodedTensor);
  const blocks = Math.ceil(k / 32);
  const transposed = dims[0] === k; // a square weight does not tell; no model here has one under Gemm with transB
  const data = new Float64Array(k * n);
  for (let row = 0; row < n; row++) {
    for (let i = 0; i < k; i++) {
      const byte = packed[(row * blocks + (i >> 5)) * 16 + ((i & 31) >> 1)] as number;
      const code = (i & 1 ? byte >> 4 : byte & 15) - 8;
      data[transposed ? i * n + row : row * k + i] = code * (scales[row * blocks + (i >> 5)] as number);
    }
  }
  return { dims: [...dims], data, kind: "int4", axis: transposed ? 0 : 1 };
}
