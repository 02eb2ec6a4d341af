/** Which operators kernels run; every export of a family is one, under its name. The others are computed plainly. */
import type { Node } from "../../graph/graph.ts";
import * as attention from "./attention.ts";
import * as elementwise from "./elementwise.ts";
import * as images from "./images.ts";
import * as layout from "./layout.ts";
import type { Lower } from "./lower.ts";
import * as matrices from "./matrices.ts";
import * as normalize from "./normalize.ts";
import * as products from "./products.ts";
import * as quantized from "./quantized.ts";
import * as quantizedProducts from "./quantized-products.ts";
import * as recurrent from "./recurrent.ts";

/** What is not a lowering does not start with a capital. */
const gathered = (families: readonly object[]): ReadonlyMap<string, Lower> =>
  new Map(families.flatMap((family) => Object.entries(family).filter(([name]) => /^[A-Z]/.test(name))) as [string, Lower][]);

const LOWERED: ReadonlyMap<string, ReadonlyMap<string, Lower>> = new Map([
  ["", gathered([elementwise, layout, matrices, normalize, quantized, quantizedProducts])],
  ["com.microsoft", gathered([normalize])],
  [
    "edgeslim",
    gathered([
      { Activate: elementwise.Activate, Affine: elementwise.Affine, ChannelShuffle: layout.ChannelShuffle },
      attention,
      images,
      products,
      quantized,
      quantizedProducts,
      recurrent,
    ]),
  ],
]);

export const lowering = ({ domain, op_type }: Node): Lower | undefined => LOWERED.get(domain)?.get(op_type);
