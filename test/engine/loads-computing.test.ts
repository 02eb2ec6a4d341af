/** Recipes that change how a model computes. */
import { matrix } from "./matrix.ts";

matrix("Activations and graphs", [
  ...["q8", "int8", "uint8", "q4f16"].map((scheme) => ({ word: scheme, scheme })),
  { word: "optimize", optimize: true },
  ...["q8", "w8", "fp16"].map((scheme) => ({ word: `optimize, ${scheme}`, scheme, optimize: true })),
]);
