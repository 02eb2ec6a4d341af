import { type Decision, type Encoding, keep } from "../encoding.ts";
import { UnsupportedError } from "../errors.ts";
import type { Document } from "../formats/onnx/document.ts";
import { DynamicQuantization, type QuantizedWeight } from "../formats/onnx/dynamic.ts";
import { constantList, constantTensor, subgraphTensors } from "../formats/onnx/graph.ts";
import { HalfArithmetic } from "../formats/onnx/half.ts";
import { knownOf } from "../formats/onnx/known.ts";
import { type Bulk, isBulk, type Message } from "../formats/onnx/message.ts";
import { blockwiseProduct, isPacked, MICROSOFT, type Packed, partsOf, restore } from "../formats/onnx/represent.ts";
import { tensorData, tensorInfo } from "../formats/onnx/tensor.ts";
import { type Graph, makeNode, type Node } from "../graph/graph.ts";
import { Patch } from "../graph/patch.ts";
import { paths, roleOf } from "../graph/role.ts";
import { toFloat16 } from "../ops/half.ts";
import { inferGraph } from "../ops/infer.ts";
import type { Value } from "../ops/value.ts";
import type { Scaling } from "../optimize/model.ts";
import type { Payload } from "../payload.ts";
import { arrayOf, type DType, elements, type TensorBytes, type TensorInfo } from "../tensor.ts";
import type { Decider } from "./decide.ts";

/** A tensor of an ONNX model: an initializer of the main graph or a subgraph, or the value of a Constant node. */
export interface Definition {
  info: TensorInfo;
  /** The graph it stands in. */
  home: Graph;
  /** The Constant node that holds it. */
  constant?: Node;
  payload: Payload | undefined;
  /** Why it stays as it is, where that is known by its form. */
  kept?: string;
  /** The initializer as it came; nested ones are written with their node. */
  message?: Message;
  /** Whether it stood in a Constant node that is gone. */
  lifted?: boolean;
  /** Whether the source has no such tensor. */
  made?: boolean;
  /** What its payload was multiplied by. */
  scaling?: Scaling;
  /** The fields that carry the data, where it is bulk: emptied once the weight is encoded. */
  bulk: readonly Bulk[];
}

/** A definition that has been encoded, and the tensors that stand for it now. */
export interface Encoded {
  definition: Definition;
  encoding: Encoding;
  parts: readonly TensorInfo[];
}

/**
 * Tensors inside nodes: Constant values anywhere, initializers of subgraphs. Those of the main graph are not among them.
 * `read` finds their elements.
 */
export async function* nestedDefinitions(
  document: Document,
  home: Graph,
  nodes: readonly Node[],
  read: typeof tensorData = tensorData,
): AsyncGenerator<Definition> {
  for (const node of nodes) {
    const message = constantTensor(node, document.origins);
    if (message) yield { ...(await define(message, home, read, node.output[0])), constant: node };
    const list = constantList(node, document.origins);
    if (list) yield { info: list.info, home, payload: undefined, bulk: [], kept: list.reason };
    for (const graph of node.graphs) {
      for (const initializer of subgraphTensors(graph, document.origins)) yield await define(initializer, graph, read);
      yield* nestedDefinitions(document, graph, graph.nodes, read);
    }
  }
}

async function define(message: Message, home: Graph, read: typeof tensorData, name?: string): Promise<Definition> {
  const info = tensorInfo(message, name);
  return { info, home, payload: await read(message, info), bulk: message.fields.filter(isBulk) };
}

/** Names for what is added, distinct from every name the model has. */
export class Names {
  readonly #taken = new Set<string>();
  readonly #given = new Set<string>();
  readonly #next = new Map<string, number>(); // suffixes below are taken

  /** Takes note of a name of the model. */
  add(name: string): void {
    if (this.#given.has(name))
      throw new UnsupportedError(
        `The name '${name}' was given to a new tensor before the model used it; give the model as a source that can be read again`,
      );
    this.#taken.add(name);
  }

  /** Takes note of every name a node uses. */
  addNode(node: Node): void {
    for (const name of [...node.input, ...node.output]) this.add(name);
    for (const graph of node.graphs) {
      for (const name of [...graph.inputs, ...graph.initializers]) this.add(name);
      for (const inner of graph.nodes) this.addNode(inner);
    }
  }

  readonly fresh = (name: string): string => {
    let candidate = name;
    let i = this.#next.get(name) ?? 2;
    while (this.#taken.has(candidate)) candidate = `${name}_${i++}`;
    this.#next.set(name, i);
    this.#taken.add(candidate);
    this.#given.add(candidate);
    return candidate;
  };
}

export function decide(decider: Decider, document: Document, { info, home, kept }: Definition): Decision {
  const convolves = document.values.operators.has("Conv");
  if (kept === undefined) return decider.decide({ ...info, role: roleOf(document.values, info, home), convolves });
  decider.decide({ ...info, role: { op: "" } }); // patterns that name it have matched
  return keep(kept);
}

export const encodedParts = (definition: Definition, encoding: Encoding, names: Names): Encoded => ({
  definition,
  encoding,
  parts: partsOf(definition.info, encoding, names.fresh),
});

/** Edits the graph so that it reads the encoded weights. */
export function patchGraph(document: Document, encoded: readonly Encoded[], names: Names): void {
  const computing = encoded.filter(({ encoding }) => computesInHalf(encoding));
  const types = computing.length > 0 ? inferGraph(document.main, knownOf(document, document.tensors)).get(document.main) : undefined;
  const patch = new Patch();
  quantizeDynamically(document, encoded, patch, names);
  for (const { definition, encoding, parts } of encoded) {
    const { info, home, constant } = definition;
    if (!constant) patch.undefine(home, info.name);
    if (encoding.kind === "affine8") {
      if (constant) patch.remove(constant);
      continue;
    }
    if (isPacked(encoding)) {
      if (constant) patch.remove(constant);
      replaceProducts(document, definition, encoding, parts, patch, names);
      continue;
    }
    if (encoding.kind === "half" && encoding.computes) {
      if (constant) patch.remove(constant);
      continue;
    }
    // The nodes stand in the graph that owns the parts: onnxruntime fails to load DequantizeLinear in a branch over an outer int8 tensor.
    const inner = home !== document.main;
    const restored = inner ? names.fresh(info.name) : info.name;
    const nodes = restore({ ...info, name: restored }, encoding, parts, document.opset, names.fresh);
    if (constant && !inner) patch.replace(constant, nodes);
    else patch.prepend(document.main, nodes);
    if (!inner) continue;
    const local = [makeNode("Identity", [restored], [info.name])]; // branches may use one name for different weights
    if (constant) patch.replace(constant, local);
    else patch.prepend(home, local);
  }
  document.apply(patch);
  if (types) computeInHalf(document, computing, types, names);
}

const computesInHalf = (encoding: Encoding): boolean =>
  (encoding.kind === "half" && encoding.computes === true) || (encoding.kind === "int4" && encoding.scheme === "q4f16");

/** Constants that stay in float32 under a scheme that computes in float16 have so many elements at most. */
const FEW = 16;

/** Keeps what a float32 constant becomes that does not fit float16. */
export async function noteUnfit(document: Document, { info, home, payload }: Pick<Definition, "info" | "home" | "payload">): Promise<void> {
  if (info.dtype !== "float32" || home !== document.main || !payload?.again || elements(info.shape) >= FEW) return;
  for await (const chunk of payload.chunks()) {
    const values = arrayOf("float32", chunk) as Float32Array;
    if (values.every(fitsFloat16)) return;
    document.unfit.set(info.name, halvesOf(info.name, info.shape, values));
  }
}

/** The largest finite float16, and the least above zero. */
const MAX_FLOAT16 = 65504;
const MIN_FLOAT16 = 2 ** -24;

const fitsFloat16 = (x: number): boolean => Number.isNaN(x) || x === 0 || (Math.abs(x) <= MAX_FLOAT16 && Math.abs(x) >= MIN_FLOAT16);

/** The nearest halves that are neither infinite, as a mask of −3.4e38 times zero would be NaN, nor zero, as what is divided by an epsilon would be. */
function halvesOf(name: string, shape: readonly number[], values: Float32Array): TensorBytes {
  const nearest = (x: number): number => (fitsFloat16(x) ? x : Math.sign(x) * Math.max(MIN_FLOAT16, Math.min(MAX_FLOAT16, Math.abs(x))));
  const halves = Uint16Array.from(values, (x) => toFloat16(nearest(x)));
  return { name, dtype: "float16", shape, bytes: new Uint8Array(halves.buffer) };
}

/** Rewrites the main graph to compute in float16. */
function computeInHalf(document: Document, computing: readonly Encoded[], types: ReadonlyMap<string, Value>, names: Names): void {
  const known = knownOf(document, document.tensors);
  const own = new Map(computing.flatMap(({ parts }) => parts.map(({ name, dtype }) => [name, dtype] as const)));
  const weights = new Map(
    computing.flatMap(({ definition: { info }, encoding, parts }) =>
      encoding.kind === "half" ? [[info.name, parts[0]?.name as string] as const] : [],
    ),
  );
  const patch = new Patch();
  const clipped = new Map<string, string>();
  const fills = new Map<string, string>();
  const add = (tensor: TensorBytes): string => {
    const name = names.fresh(`${tensor.name}_float16`);
    patch.addTensor(document.main, { ...tensor, name });
    return name;
  };
  for (const tensor of document.unfit.values())
    if (document.values.uses(tensor.name, document.main).length > 0) clipped.set(tensor.name, add(tensor));
  for (const node of document.main.nodes) {
    const fill = node.domain === "" && node.op_type === "ConstantOfShape" ? known.tensor(node, "value")?.constant : undefined;
    const [name = ""] = node.output;
    if (fill?.dtype !== "float32" || fitsFloat16(fill.data[0] as number)) continue;
    fills.set(name, add(halvesOf(name, [], fill.data as Float32Array)));
  }
  const dtype = (name: string): DType | undefined => own.get(name) ?? (weights.has(name) ? "float32" : types.get(name)?.dtype);
  new HalfArithmetic({ main: document.main, dtype, weights, clipped, fills }, patch, names.fresh).apply();
  document.apply(patch);
}

/** Rewrites the main graph around weights of dynamic quantization. */
function quantizeDynamically(document: Document, encoded: readonly Encoded[], patch: Patch, names: Names): void {
  const weights = new Map<string, QuantizedWeight>();
  for (const { definition, encoding, parts } of encoded) {
    if (encoding.kind !== "affine8") continue;
    const { info, home } = definition;
    if (!roleOf(document.values, info, home).dynamic)
      throw new UnsupportedError(
        `Tensor '${info.name}' was quantized, but a node that came after it in the file needs it otherwise; give the model as a source that can be read again`,
        { tensor: info.name },
      );
    const [values = "", scale = "", zero_point = ""] = parts.map(({ name }) => name);
    weights.set(info.name, { values, scale, zero_point, transposed: encoding.transposed, rank: info.shape.length });
  }
  if (weights.size > 0) new DynamicQuantization(document.main, weights, patch, names.fresh).apply();
}

/** Puts MatMulNBits in the place of every product with the weight, and drops the nodes that only led to them. */
function replaceProducts(
  document: Document,
  definition: Definition,
  encoding: Packed,
  parts: readonly TensorInfo[],
  patch: Patch,
  names: Names,
): void {
  const { info, home } = definition;
  const found = paths(document.values, info.name, home, info.shape.length);
  const role = roleOf(document.values, info, home);
  if (encoding.kind === "nf4" ? !role.matmul : role.k_axis !== encoding.k_axis) {
    throw new UnsupportedError(
      `Tensor '${info.name}' was packed for matrix products, but what came after it in the file (${found.leaves ? "the graph's outputs" : role.op}) ` +
        "needs it whole; give the model as a source that can be read again",
      { tensor: info.name },
    );
  }
  for (const path of found.paths) patch.replace(path.use.node, blockwiseProduct(path, info, encoding, parts, names.fresh));
  for (const node of found.through) patch.remove(node);
}

/** Whether the edits need an operator set that the model does not import. */
export const needsMicrosoft = (document: Document, encoded: readonly Encoded[]): boolean =>
  !document.opsets.has(MICROSOFT) && encoded.some(({ encoding }) => isPacked(encoding));
