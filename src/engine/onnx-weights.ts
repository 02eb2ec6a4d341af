import { type Decision, type Encoding, keep } from "../encoding.ts";
import type { Document } from "../formats/onnx/document.ts";
import type { Field } from "../formats/onnx/message.ts";
import { GraphProto } from "../formats/onnx/proto.ts";
import type { TensorDefinition } from "../formats/onnx/read.ts";
import { partsOf } from "../formats/onnx/represent.ts";
import type { Unit } from "../formats/onnx/sparse.ts";
import { initializerField } from "../formats/onnx/write.ts";
import type { Names } from "../graph/names.ts";
import { roleOf } from "../graph/role.ts";
import type { StaticPlan } from "../graph/static.ts";
import type { Scaling } from "../optimize/model.ts";
import type { TensorInfo } from "../tensor.ts";
import type { Decider } from "./decide.ts";

/** IR version from which an initializer need not be a graph input. */
export const IR_WITHOUT_INPUTS = 4;

/** A tensor of a model under compression. */
export interface Definition extends TensorDefinition {
  /** Whether it stood in a Constant node that is gone. */
  lifted?: boolean;
  /** Whether the source has no such tensor. */
  made?: boolean;
  /** What its payload was multiplied by. */
  scaling?: Scaling;
  /** Whether a part of what the source has is left. */
  isPruned?: boolean;
  /** Where elements became zero: whole blocks of its first two axes, or single ones. */
  masked?: { block?: Unit };
}

/** The initializer of a tensor that is kept; undefined where its node holds it. */
export function initializerOf({ info, payload, message, scaling, isPruned, lifted, made }: Definition): Field | undefined {
  if (message && !scaling && !isPruned) return { field: GraphProto.initializer, message };
  return (message || lifted || made) && payload ? initializerField(info, payload) : undefined;
}

/** A definition that has been encoded, and the tensors that stand for it now. */
export interface Encoded {
  definition: Definition;
  encoding: Encoding;
  /** In the order in which they are made. */
  parts: readonly TensorInfo[];
  /**
   * Whether they stand in the subgraph in which the weight stood, and not in the main graph: onnxruntime fails to load DequantizeLinear in a
   * branch over an int8 tensor, or with a scale, of the graph around it.
   */
  local: boolean;
  /** Where the first part is written without its zeros: what is written, and the bits of the units that are in it. */
  sparse?: { info: TensorInfo; bits: Uint8Array; unit: Unit };
}

/** The tensors of an encoded weight as they are written. */
export const writtenParts = ({ parts, sparse }: Encoded): readonly TensorInfo[] => (sparse ? [sparse.info, ...parts.slice(1)] : parts);

/** `plan` is there where activations are quantized too. */
export function decide(
  decider: Decider,
  document: Document,
  { info, home, kept }: Pick<Definition, "info" | "home" | "kept">,
  plan?: StaticPlan,
): Decision {
  const convolves = document.values.operators.has("Conv");
  const taken = home === document.main ? plan?.constants.get(info.name) : undefined;
  const role = { ...roleOf(document.values, info, home), ...(taken ? { static: taken } : {}) };
  if (kept === undefined) return decider.decide({ ...info, role, convolves });
  decider.decide({ ...info, role: { op: "" } }); // patterns that name it have matched
  return keep(kept);
}

export const encodedParts = (definition: Definition, encoding: Encoding, names: Names): Encoded => ({
  definition,
  encoding,
  parts: partsOf(definition.info, encoding, names.fresh),
  local: encoding.kind === "affine8" && definition.home.parent !== undefined,
});
