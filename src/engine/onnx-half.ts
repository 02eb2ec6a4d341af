import type { Encoding } from "../encoding.ts";
import type { Document } from "../formats/onnx/document.ts";
import { HalfArithmetic } from "../formats/onnx/half.ts";
import { knownOf } from "../formats/onnx/known.ts";
import { MICROSOFT } from "../formats/onnx/represent.ts";
import type { Names } from "../graph/names.ts";
import { Patch } from "../graph/patch.ts";
import { toFloat16 } from "../ops/half.ts";
import type { Value } from "../ops/value.ts";
import { arrayOf, type DType, elements, type TensorBytes } from "../tensor.ts";
import type { Decider } from "./decide.ts";
import type { Definition, Encoded } from "./onnx-weights.ts";
import type { Log } from "./report.ts";

/** Whether a weight so encoded is read by a model that computes in float16. */
export const computesInHalf = (encoding: Encoding): boolean =>
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

/** Says where a model under q4f16 has nothing that int4 takes: what is left of the scheme is fp16. */
export function warnUnpacked({ scheme }: Decider, encoded: readonly Encoded[], log: Log): void {
  if (scheme !== "q4f16" || encoded.some(({ encoding }) => encoding.kind === "int4")) return;
  log.warnOf(
    "q4f16-as-fp16",
    "No weight is int4, which is for those that only MatMul reads: the model computes in float16, as under fp16",
    [],
  );
}

/** Rewrites the main graph to compute in float16. */
export function computeInHalf(document: Document, computing: readonly Encoded[], types: ReadonlyMap<string, Value>, names: Names): void {
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
  // From IR 4 on, an initializer that is an input too is a default: callers may give another.
  const listed = document.ir_version < 4;
  const given = new Set(listed ? [] : document.main.inputs);
  for (const tensor of document.unfit.values())
    if (document.values.uses(tensor.name, document.main).length > 0 && !given.has(tensor.name)) clipped.set(tensor.name, add(tensor));
  for (const node of document.main.nodes) {
    const fill = node.domain === "" && node.op_type === "ConstantOfShape" ? known.tensor(node, "value")?.constant : undefined;
    const [name = ""] = node.output;
    if (fill?.dtype !== "float32" || fitsFloat16(fill.data[0] as number)) continue;
    fills.set(name, add(halvesOf(name, [], fill.data as Float32Array)));
  }
  // What the scheme knew of a product need not be what inference can tell.
  for (const { domain, op_type, input, output } of document.main.nodes) {
    if (domain !== MICROSOFT || op_type !== "MatMulNBits" || own.get(input[2] as string) !== "float16") continue;
    for (const name of [input[0], output[0]]) if (name && types.get(name)?.dtype === undefined) own.set(name, "float32");
  }
  const dtype = (name: string): DType | undefined => own.get(name) ?? (weights.has(name) ? "float32" : types.get(name)?.dtype);
  new HalfArithmetic({ main: document.main, dtype, weights, clipped, fills, listed }, patch, names.fresh).apply();
  document.apply(patch);
}
