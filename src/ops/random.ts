/** Random numbers: never folded. */
import { dtypeAttribute, int, numbers, type Op } from "./op.ts";

const random: Op = { infer: (node) => [{ dtype: dtypeAttribute(node, "dtype", "float32"), shape: numbers(node, "shape") }] };
const randomLike: Op = { infer: (node, [x]) => [{ dtype: dtypeAttribute(node, "dtype", x?.dtype), shape: x?.shape }] };

export const Bernoulli = randomLike;
export const RandomNormal = random;
export const RandomNormalLike = randomLike;
export const RandomUniform = random;
export const RandomUniformLike = randomLike;

export const Multinomial: Op = {
  infer: (node, [x], context) => [
    { dtype: dtypeAttribute(node, "dtype", "int32"), shape: [x?.shape?.[0] ?? context.symbol(), int(node, "sample_size", 1)] },
  ],
};
