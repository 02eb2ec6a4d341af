/** Weights that pruning left many zeros in are written without them. */
import type { Document } from "../formats/onnx/document.ts";
import {
  ELEMENT,
  NonZero,
  packing,
  type Shared,
  SPARSE_OPSET,
  shareConstants,
  type Unit,
  unitOrder,
  unitsOf,
  unpackingNodes,
} from "../formats/onnx/sparse.ts";
import { initializerField } from "../formats/onnx/write.ts";
import type { Node } from "../graph/graph.ts";
import type { Names } from "../graph/names.ts";
import { Patch } from "../graph/patch.ts";
import type { Payload } from "../payload.ts";
import { BITS, byteLength, type TensorInfo } from "../tensor.ts";
import type { OnnxRun } from "./onnx.ts";
import type { Piece } from "./onnx-pieces.ts";
import type { Definition, Encoded } from "./onnx-weights.ts";
import { encodeWeight } from "./weight.ts";

/** A weight as it is written, under the name that the graph must still have. */
export interface Weight {
  piece: Piece;
  name?: string;
  /** Where it is kept in its type. */
  definition?: Definition;
}

/** A file must get smaller by this share of a weight, for what a runtime does to restore it. */
const LEAST_GAIN = 0.05;

/** Types of which a zero is all zero bits, and that ScatterND takes. */
const SPARSE_TYPES: ReadonlySet<string> = new Set(["float32", "float16", "float64", "int8"]);

/** The opset that sparse weights need. */
export const SPARSE_NEED = { opset: SPARSE_OPSET, by: "ScatterND, which puts zeros back," };

/** Looks at the weights that were masked, as they will be written, and writes those without their zeros that then take less. */
export async function storeSparse(run: OnnxRun, document: Document, weights: readonly Weight[], names: Names): Promise<Weight[]> {
  const { main } = document;
  const patch = new Patch();
  const nodes: Node[] = [];
  let shared: Shared | undefined;
  const stored: Weight[] = [];
  for (const weight of weights) {
    const dense = denseOf(weight);
    const found = dense && (await nonZero(run, dense));
    const size = dense ? (BITS[dense.info.dtype] / 8) * dense.unit[0] * dense.unit[1] : 0;
    const after = found ? found.count * size + found.bits.byteLength : Number.POSITIVE_INFINITY;
    if (!dense || !found || after > (1 - LEAST_GAIN) * byteLength(dense.info.dtype, dense.info.shape)) {
      stored.push(weight);
      continue;
    }
    shared ??= shareConstants(main, patch, names.fresh);
    const { name, dtype } = dense.info;
    const { unit } = dense;
    const width = unit[0] * unit[1];
    const values: TensorInfo = { name: names.fresh(`${name}/values`), dtype, shape: width === 1 ? [found.count] : [found.count, width] };
    const mask = names.fresh(`${name}/mask`);
    patch.addTensor(main, { name: mask, dtype: "uint8", shape: [found.bits.byteLength, 1], bytes: found.bits });
    nodes.push(...unpackingNodes(dense.info, unit, { values: values.name, mask }, shared, main, patch, names.fresh));
    if (dense.encoded) {
      dense.encoded.sparse = { info: values, bits: found.bits, unit };
      stored.push(weight);
    } else {
      patch.undefine(main, name);
      patch.define(main, values.name);
      document.tensors.set(values.name, values);
      stored.push({ piece: initializerField(values, packedPayload(dense, values, found.bits)), name: values.name });
    }
    run.log.sparse(dense.encoded?.definition.info.name ?? name, after);
  }
  patch.prepend(main, nodes);
  document.apply(patch);
  return stored;
}

/** A weight whose first part can be written without zeros. */
interface Dense {
  info: TensorInfo;
  unit: Unit;
  payload?: Payload;
  encoded?: Encoded;
}

function denseOf({ piece, definition: kept }: Weight): Dense | undefined {
  const encoded = "parts" in piece ? piece : undefined;
  const definition = encoded?.definition ?? kept;
  const info = encoded ? encoded.parts[0] : definition?.info;
  const isPlain = !encoded || (!encoded.local && isInOrder(encoded));
  if (!definition?.masked || !definition.payload || !info || !isPlain || !SPARSE_TYPES.has(info.dtype)) return undefined;
  const { block = ELEMENT } = definition.masked;
  const unit = unitsOf(info.shape, block) ? block : ELEMENT;
  return encoded ? { info, unit, encoded } : { info, unit, payload: definition.payload };
}

/** Whether the values of an encoded weight stand in the order of its elements, and are zero where those are. */
const isInOrder = ({ encoding }: Encoded): boolean =>
  encoding.kind === "int8" || encoding.kind === "half" || (encoding.kind === "affine8" && !encoding.transposed);

/** The bytes of a weight as they would be written with their zeros. */
async function* denseChunks({ kernels }: OnnxRun, { payload, encoded }: Dense): AsyncGenerator<Uint8Array> {
  if (payload) yield* payload.chunks();
  if (!encoded) return;
  const { definition, encoding } = encoded;
  const source = definition.payload as Payload;
  const again = async () => ({ payload: source, release() {} });
  for await (const [part, bytes] of encodeWeight(kernels, definition.info, encoding, source, again, () => {})) if (part === 0) yield bytes;
}

/** The units of a weight that are not zero, once it is encoded. */
async function nonZero(run: OnnxRun, dense: Dense): Promise<NonZero> {
  const found = new NonZero(dense.info, dense.unit);
  const { dtype, shape } = dense.info;
  for await (const bytes of unitOrder(denseChunks(run, dense), shape, dense.unit, BITS[dtype] / 8)) found.add(bytes);
  return found;
}

const packedPayload = ({ info, unit, payload }: Dense, values: TensorInfo, bits: Uint8Array): Payload => ({
  length: byteLength(values.dtype, values.shape),
  again: payload?.again === true,
  async *chunks() {
    const size = BITS[info.dtype] / 8;
    const pack = packing(bits, size * unit[0] * unit[1]);
    if (payload) for await (const bytes of unitOrder(payload.chunks(), info.shape, unit, size)) yield pack(bytes);
  },
});
