import type { Encoding } from "../encoding.ts";
import type { Document } from "../formats/onnx/document.ts";
import { HalfArithmetic } from "../formats/onnx/half.ts";
import { Patch } from "../graph/patch.ts";
import { toFloat16 } from "../ops/half.ts";
import type { Value } from "../ops/value.ts";
import { arrayOf, type DType, elements, type TensorBytes } from "../tensor.ts";
import type { Definition, Encoded, Names } from "./onnx-weights.ts";

/** Whether a weight so encoded is read by a model that computes in float16. */
export const computesInHalf = (encoding: Encoding): boolean =>
  (encoding.kind === "half" && encoding.computes === true) || (encoding.kind === "int4" && encoding.scheme === "q4f16");

/** Constants that stay in float32 under a scheme that computes in float16 have so many elements at most. */
const FEW = 16;

/** Keeps what a float32 constant becomes that does not fit float16: its largest values, so that a mask of −3.4e38 times zero is not NaN. */
export async function noteLarge(document: Document, { info, home, payload }: Pick<Definition, "info" | "home" | "payload">): Promise<void> {
  if (info.dtype !== "float32" || home !== document.main || !payload?.again || elements(info.shape) >= FEW) return;
  for await (const chunk of payload.chunks()) {
    const values = arrayOf("float32", chunk) as Float32Array;
    if (values.every((x) => Number.isNaN(x) || Math.abs(x) <= MAX_FLOAT16)) return;
    const halves = Uint16Array.from(values, (x) => toFloat16(Math.max(-MAX_FLOAT16, Math.min(MAX_FLOAT16, x))));
    document.large.set(info.name, { name: info.name, dtype: "float16", shape: info.shape, bytes: new Uint8Array(halves.buffer) });
  }
}

/** The largest finite float16. */
const MAX_FLOAT16 = 65504;

/** Rewrites the main graph to compute in float16. */
export function computeInHalf(document: Document, computing: readonly Encoded[], types: ReadonlyMap<string, Value>, names: Names): void {
  const own = new Map(computing.flatMap(({ parts }) => parts.map(({ name, dtype }) => [name, dtype] as const)));
  const weights = new Map(
    computing.flatMap(({ definition: { info }, encoding, parts }) =>
      encoding.kind === "half" ? [[info.name, parts[0]?.name as string] as const] : [],
    ),
  );
  const patch = new Patch();
  const clipped = new Map<string, string>();
  const clip = (tensor: TensorBytes): void => {
    const name = names.fresh(`${tensor.name}_float16`);
    clipped.set(tensor.name, name);
    patch.addTensor(document.main, { ...tensor, name });
  };
  for (const tensor of document.large.values()) if (document.values.uses(tensor.name, document.main).length > 0) clip(tensor);
  const dtype = (name: string): DType | undefined => own.get(name) ?? (weights.has(name) ? "float32" : types.get(name)?.dtype);
  new HalfArithmetic({ main: document.main, dtype, weights, clipped }, patch, names.fresh).apply();
  document.apply(patch);
}
