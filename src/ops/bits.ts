/** Operators on the bits of pairs of integers. */
import { type DType, isFloat } from "../tensor.ts";
import { pairs } from "./binary.ts";
import { ofKnown } from "./compute.ts";
import { foldPairs } from "./each.ts";
import { text } from "./op.ts";

const isInteger = (dtype: DType) => dtype !== "bool" && !isFloat(dtype);

/** Nothing is left of what is shifted by all its bits. */
export const BitShift = pairs({
  compute: ofKnown((node, inputs, context) => {
    const isLeft = text(node, "direction", "") === "LEFT";
    const number = (a: number, b: number) => (b > 31 ? 0 : isLeft ? a << b : a >>> b);
    const bigint = (a: bigint, b: bigint) => (b > 63n ? 0n : isLeft ? a << b : a >> b);
    return foldPairs({ number, bigint, accepts: (dtype) => dtype.startsWith("uint") })(node, inputs, context);
  }),
});

const bitwise = (number: (a: number, b: number) => number, bigint: (a: bigint, b: bigint) => bigint) =>
  pairs({ compute: ofKnown(foldPairs({ number, bigint, accepts: isInteger })) });
export const BitwiseAnd = bitwise(
  (a, b) => a & b,
  (a, b) => a & b,
);
export const BitwiseOr = bitwise(
  (a, b) => a | b,
  (a, b) => a | b,
);
export const BitwiseXor = bitwise(
  (a, b) => a ^ b,
  (a, b) => a ^ b,
);
