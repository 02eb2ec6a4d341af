/** Operators on text. */
import { unknownDims } from "./dims.ts";
import type { Op } from "./op.ts";

/** Strings in, strings or what is found in them out. */
export const StringNormalizer: Op = {
  infer: (_node, [x], context) => [{ dtype: "string", shape: x?.shape && unknownDims(x.shape.length, context) }],
};
export const StringConcat: Op = { infer: () => [{ dtype: "string" }] };
export const RegexFullMatch: Op = { infer: (_node, [x]) => [{ dtype: "bool", shape: x?.shape }] };
export const StringSplit: Op = {
  infer: (_node, [x], context) => [
    { dtype: "string", shape: x?.shape && [...x.shape, context.symbol()] },
    { dtype: "int64", shape: x?.shape },
  ],
};
export const TfIdfVectorizer: Op = {
  infer: (_node, [x], context) => [{ dtype: "float32", shape: x?.shape && [...x.shape.slice(0, -1), context.symbol()] }],
};
