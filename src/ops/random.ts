/** Random numbers: never folded. The attribute `seed` is not looked at. */
import { elements } from "../tensor.ts";
import { filled, ofKnown, one } from "./compute.ts";
import { numbersOf } from "./elements.ts";
import { type ComputeContext, dtypeAttribute, int, numbers, type Op } from "./op.ts";

type Draw = (node: Parameters<typeof int>[0], random: () => number) => number;

const normal: Draw = (node, random) =>
  int(node, "mean", 0) + int(node, "scale", 1) * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
const uniform: Draw = (node, random) => {
  const low = int(node, "low", 0);
  return low + (int(node, "high", 1) - low) * random();
};

const compute =
  (draw: Draw): NonNullable<Op["compute"]> =>
  (node, _inputs, { outputs: [y], random }: ComputeContext) =>
    one(filled(y?.dtype, y?.shape, () => draw(node, random)));
const random = (draw: Draw): Op => ({
  infer: (node) => [{ dtype: dtypeAttribute(node, "dtype", "float32"), shape: numbers(node, "shape") }],
  compute: compute(draw),
});
const like: Op["infer"] = (node, [x]) => [{ dtype: dtypeAttribute(node, "dtype", x?.dtype), shape: x?.shape }];

/** 1 as often as the input says. */
export const Bernoulli: Op = {
  infer: like,
  compute: ofKnown((_node, [x], { outputs: [y], random }) => {
    const chances = x && numbersOf(x);
    return chances && one(filled(y?.dtype, y?.shape, (i) => (random() < (chances[i] as number) ? 1 : 0)));
  }),
};
export const RandomNormal = random(normal);
export const RandomNormalLike: Op = { infer: like, compute: compute(normal) };
export const RandomUniform = random(uniform);
export const RandomUniformLike: Op = { infer: like, compute: compute(uniform) };

/** Classes whose logarithms of chances, not normalized, are each row of the input. */
export const Multinomial: Op = {
  infer: (node, [x], context) => [
    { dtype: dtypeAttribute(node, "dtype", "int32"), shape: [x?.shape?.[0] ?? context.symbol(), int(node, "sample_size", 1)] },
  ],
  compute: ofKnown((_node, [x], { outputs: [y], random }) => {
    const [logits, classes = 0, count = 1] = [x && numbersOf(x), x?.shape[1], y?.shape[1]];
    if (!logits || !y || x?.shape.length !== 2 || classes === 0) return undefined;
    const rows = Array.from({ length: elements(x.shape) / classes }, (_, row) => {
      const own = logits.subarray(row * classes, (row + 1) * classes) as Float32Array;
      const largest = own.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
      let sum = 0;
      return Float64Array.from(own, (logit) => (sum += Math.exp(logit - largest)));
    });
    return one(
      filled(y.dtype, y.shape, (i) => {
        const sums = rows[Math.floor(i / count)] as Float64Array;
        const drawn = random() * (sums[classes - 1] as number);
        return Math.max(
          0,
          sums.findIndex((sum) => drawn < sum),
        );
      }),
    );
  }),
};
