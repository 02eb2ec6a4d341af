/** Schemes that a model computes in float with. */
import { matrix } from "./matrix.ts";

matrix(
  "Weights alone",
  ["fp16", "bf16", "w8", "w4", "q4", "bnb4"].map((scheme) => ({ word: scheme, scheme })),
);
