import type { Encoding } from "../encoding.ts";
import { LEADING_ONES, withLeadingOnes } from "../formats/onnx/batched.ts";
import type { Document } from "../formats/onnx/document.ts";
import { quantizeDynamically } from "../formats/onnx/dynamic.ts";
import type { QuantizedWeight } from "../formats/onnx/dynamic-scope.ts";
import { knownOf } from "../formats/onnx/known.ts";
import { packedProduct } from "../formats/onnx/packed.ts";
import { isPacked, MICROSOFT, type Need, opsetNeeded, type Packed, restore } from "../formats/onnx/represent.ts";
import { type Graph, graphs, makeNode } from "../graph/graph.ts";
import type { Names } from "../graph/names.ts";
import { Patch } from "../graph/patch.ts";
import { isRightSide, type Path, paths } from "../graph/role.ts";
import { inferGraph } from "../ops/infer.ts";
import type { TensorInfo } from "../tensor.ts";
import { computeInHalf, computesInHalf } from "./onnx-half.ts";
import { type Definition, type Encoded, IR_WITHOUT_INPUTS } from "./onnx-weights.ts";

/**
 * Edits the graph so that it reads the encoded weights: first what reads them in a form of its own, then what reads them in float, then what
 * computes in float16.
 */
export function patchGraph(document: Document, encoded: readonly Encoded[], names: Names): void {
  const computing = encoded.filter(({ encoding }) => computesInHalf(encoding));
  const types = computing.length > 0 ? inferGraph(document.main, knownOf(document, document.tensors)).get(document.main) : undefined;
  const products = new Patch();
  const weights = quantizedWeights(encoded);
  if (weights.size > 0) quantizeDynamically(document.values, weights, { main: document.main, patch: products, fresh: names.fresh });
  for (const { definition, encoding, parts } of encoded) {
    if (isPacked(encoding)) replaceProducts(document, definition, encoding, parts, products, names);
  }
  document.apply(products);

  const floats = new Patch();
  for (const each of encoded) patchFloat(document, each, floats, names);
  document.apply(floats);
  if (types) computeInHalf(document, computing, types, names);
}

/** Drops a weight's float name, or gives it back to what still reads it. */
function patchFloat(document: Document, encoded: Encoded, patch: Patch, names: Names): void {
  const { main, values, ir_version } = document;
  const { definition, encoding } = encoded;
  const { info, home, constant } = definition;
  if (isPacked(encoding) && encoding.twice) {
    // Whoever calls the model would override one of the two.
    if (home === main && main.inputs.includes(info.name) && ir_version >= IR_WITHOUT_INPUTS) patch.undefine(home, info.name);
    return;
  }
  if (!constant) patch.undefine(home, info.name);
  const isRewritten = isPacked(encoding) || isDynamic(encoding);
  const isRead = isRewritten
    ? values.uses(info.name, home).length > 0 || values.isOutput(info.name, home)
    : !(encoding.kind === "half" && encoding.computes);
  if (isRead) restoreFloat(document, encoded, patch, names);
  else if (constant) patch.remove(constant);
}

/** Gives a weight's name back to those that read it. */
function restoreFloat(document: Document, { definition, encoding, parts, local }: Encoded, patch: Patch, names: Names): void {
  const { info, home, constant } = definition;
  const inner = home !== document.main && !local;
  const restored = inner ? names.fresh(info.name) : info.name;
  const nodes = restore({ ...info, name: restored }, encoding, parts, document.opset, names.fresh);
  if (constant && !inner) patch.replace(constant, nodes);
  else patch.prepend(inner ? document.main : home, nodes); // where the parts are
  if (!inner) return;
  const identity = [makeNode("Identity", [restored], [info.name])]; // branches may use one name for different weights
  if (constant) patch.replace(constant, identity);
  else patch.prepend(home, identity);
}

/** Whether what reads a weight so encoded quantizes what it is multiplied by as the model runs. */
const isDynamic = (encoding: Encoding): encoding is Encoding & { kind: "affine8" } => encoding.kind === "affine8" && !encoding.static;

/** The weights of dynamic quantization, by the graph they stand in. */
function quantizedWeights(encoded: readonly Encoded[]): Map<Graph, Map<string, QuantizedWeight>> {
  const weights = new Map<Graph, Map<string, QuantizedWeight>>();
  for (const { definition, encoding, parts } of encoded) {
    if (!isDynamic(encoding)) continue;
    const { info, home } = definition;
    const [values = "", scale = "", zero_point = ""] = parts.map(({ name }) => name);
    const { transposed, channels } = encoding;
    const own = weights.get(home) ?? new Map<string, QuantizedWeight>();
    own.set(info.name, { values, scale, zero_point, home, per_channel: channels[0] < channels[1], transposed, rank: info.shape.length });
    weights.set(home, own);
  }
  return weights;
}

/** Puts MatMulNBits or MatMulBnb4 in the place of the products that read a packed weight, and drops the nodes that only led to them. */
function replaceProducts(
  document: Document,
  { info, home }: Definition,
  encoding: Packed,
  parts: readonly TensorInfo[],
  patch: Patch,
  names: Names,
): void {
  const { values, main } = document;
  const found = paths(values, info.name, home, info.shape.length);
  const product = (path: Path) => {
    const nodes = packedProduct(path, info, encoding, parts, names.fresh);
    const [last] = nodes.slice(-1);
    if (!last || !lacksAxes(document, info, path)) return nodes;
    return [...nodes.slice(0, -1), ...withLeadingOnes(last, info, { main, patch, fresh: names.fresh })];
  };
  const replaced = encoding.twice ? found.paths.filter(isRightSide(values, info.name, home)) : found.paths;
  for (const path of replaced) patch.replace(path.use.node, product(path));
  if (!encoding.twice) for (const node of found.through) patch.remove(node);
}

/** Whether a product with a batched weight has axes that the operator of packed weights does not give it. */
function lacksAxes(document: Document, { shape }: TensorInfo, { use }: Path): boolean {
  if (shape.length === 2) return false;
  const rank = document.rank(use.node.input[0] as string, use.graph);
  return rank === undefined || rank < shape.length;
}

/** The opset that the nodes around an encoded weight need. */
export function needOf(document: Document, { definition: { info, home }, encoding }: Encoded): Need {
  const need = opsetNeeded(encoding);
  if (!isPacked(encoding) || info.shape.length === 2) return need;
  const found = paths(document.values, info.name, home, info.shape.length).paths.filter(isRightSide(document.values, info.name, home));
  return found.some((path) => lacksAxes(document, info, path)) ? LEADING_ONES : need;
}

/** Whether the model has nodes of an operator set that it does not import. */
export const needsMicrosoft = ({ main, opsets }: Document): boolean =>
  !opsets.has(MICROSOFT) && [...graphs(main)].some(({ nodes }) => nodes.some(({ domain }) => domain === MICROSOFT));
