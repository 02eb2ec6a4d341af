import type { Encoding } from "../encoding.ts";
import type { Kernels } from "../kernels/kernels.ts";
import type { FloatDType } from "../tensor.ts";
import { affine8Encoder } from "./affine8.ts";
import type { Encoder } from "./encoder.ts";
import { halfEncoder } from "./half.ts";
import { int4Encoder } from "./int4.ts";
import { int8Encoder } from "./int8.ts";
import { nf4Encoder } from "./nf4.ts";
import { watchChannels } from "./outliers.ts";

/** The encoder of a weight of the given shape. Its memory is the kernels' arena: the caller marks and resets it. */
export function encoder(kernels: Kernels, dtype: FloatDType, shape: readonly number[], encoding: Encoding): Encoder {
  const made = plainEncoder(kernels, dtype, shape, encoding);
  const watch = encoding.kind === "int8" || encoding.kind === "affine8" ? encoding.watch : undefined;
  return watch === undefined ? made : watchChannels(kernels, shape, watch, made);
}

function plainEncoder(kernels: Kernels, dtype: FloatDType, shape: readonly number[], encoding: Encoding): Encoder {
  switch (encoding.kind) {
    case "half":
      return halfEncoder(kernels, dtype, shape, encoding.dtype, encoding.computes);
    case "int8":
      return int8Encoder(kernels, shape, encoding.axis);
    case "int4":
      return int4Encoder(kernels, shape, encoding.k_axis, encoding.scheme === "q4f16");
    case "nf4":
      return nf4Encoder(kernels, shape);
    case "affine8":
      return affine8Encoder(kernels, shape, encoding);
  }
}
