/** Weights that pruning left many zeros in are written without them. */
import type { Document } from "../formats/onnx/document.ts";
import { NonZero, packing, type Shared, SPARSE_OPSET, shareConstants, unpackingNodes, wholeElements } from "../formats/onnx/sparse.ts";
import { initializerField } from "../formats/onnx/write.ts";
import type { Node } from "../graph/graph.ts";
import type { Names } from "../graph/names.ts";
import { Patch } from "../graph/patch.ts";
import type { Payload } from "../payload.ts";
import { BITS, byteLength, elements, type TensorInfo } from "../tensor.ts";
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
    const size = dense ? BITS[dense.info.dtype] / 8 : 0;
    const after = found ? found.count * size + found.bits.byteLength : Number.POSITIVE_INFINITY;
    if (!dense || !found || after > (1 - LEAST_GAIN) * byteLength(dense.info.dtype, dense.info.shape)) {
      stored.push(weight);
      continue;
    }
    shared ??= shareConstants(main, patch, names.fresh);
    const { name, dtype } = dense.info;
    const values: TensorInfo = { name: names.fresh(`${name}/sparse/values`), dtype, shape: [found.count] };
    const mask = names.fresh(`${name}/sparse/mask`);
    patch.addTensor(main, { name: mask, dtype: "uint8", shape: [found.bits.byteLength, 1], bytes: found.bits });
    nodes.push(...unpackingNodes(dense.info, { values: values.name, mask }, shared, main, patch, names.fresh));
    if (dense.encoded) {
      dense.encoded.sparse = { info: values, bits: found.bits };
      stored.push(weight);
    } else {
      patch.undefine(main, name);
      patch.define(main, values.name);
      document.tensors.set(values.name, values);
      stored.push({ piece: initializerField(values, packedPayload(dense.payload as Payload, values, found.bits)), name: values.name });
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
  payload?: Payload;
  encoded?: Encoded;
}

function denseOf({ piece, definition }: Weight): Dense | undefined {
  if ("parts" in piece) {
    const [info] = piece.parts;
    const { kind } = piece.encoding;
    const isPlain = kind === "int8" || kind === "half" || (kind === "affine8" && !piece.encoding.transposed);
    return info && isPlain && piece.definition.isMasked && !piece.local && SPARSE_TYPES.has(info.dtype)
      ? { info, encoded: piece }
      : undefined;
  }
  const { info, payload, isMasked } = definition ?? {};
  return info && payload && isMasked && SPARSE_TYPES.has(info.dtype) ? { info, payload } : undefined;
}

/** The elements of a weight that are not zero, once it is encoded. */
async function nonZero({ kernels }: OnnxRun, { info, payload, encoded }: Dense): Promise<NonZero> {
  const found = new NonZero(info);
  if (payload) for await (const bytes of wholeElements(payload, BITS[info.dtype] / 8)) found.add(bytes);
  else if (encoded) {
    const { definition, encoding } = encoded;
    const source = definition.payload as Payload;
    const again = async () => ({ payload: source, release() {} });
    for await (const [part, bytes] of encodeWeight(kernels, definition.info, encoding, source, again, () => {}))
      if (part === 0) found.add(bytes);
  }
  return found;
}

const packedPayload = (payload: Payload, { dtype, shape }: TensorInfo, bits: Uint8Array): Payload => ({
  length: (elements(shape) * BITS[dtype]) / 8,
  again: payload.again,
  async *chunks() {
    const size = BITS[dtype] / 8;
    const pack = packing(bits, size);
    for await (const bytes of wholeElements(payload, size)) yield pack(bytes);
  },
});
