/** Losses: a number, or one for each place of labels[N, …] with `reduction` none. */
import type { Node } from "../graph/graph.ts";
import { elements, type Tensor } from "../tensor.ts";
import { ofTensors, one, stored } from "./compute.ts";
import { numbersOf } from "./elements.ts";
import { int, type Op, text } from "./op.ts";
import { logSoftmax } from "./softmax.ts";
import { lines } from "./strides.ts";

const infer: Op["infer"] = (node, [scores, labels]) => {
  const shape = text(node, "reduction", "mean") === "none" ? labels?.shape : [];
  return [
    { dtype: scores?.dtype, shape },
    { dtype: scores?.dtype, shape: scores?.shape },
  ];
};

/** What logarithms [N, C, …] say against the labels, each with the weight of its class. */
function negative(node: Node, x: Tensor, rates: ArrayLike<number>, labels: Tensor, weight: Tensor | undefined): Tensor | undefined {
  const [n = 0, classes = 0, ...dims] = x.shape;
  const [area, weights] = [elements(dims), weight && numbersOf(weight)];
  const ignored = node.attributes.ignore_index === undefined ? undefined : int(node, "ignore_index", 0);
  if (labels.shape.join() !== [n, ...dims].join() || (weight && weights?.length !== classes)) return undefined;
  const list = Array.from(labels.data as ArrayLike<number | bigint>, Number);
  let [sum, total] = [0, 0];
  const each = new Float64Array(list.length);
  for (const [i, label] of list.entries()) {
    if (label === ignored) continue;
    if (!(label >= 0 && label < classes)) return undefined;
    const by = weights?.[label] ?? 1;
    total += by;
    sum += each[i] = -by * (rates[(Math.floor(i / area) * classes + label) * area + (i % area)] as number);
  }
  const reduction = text(node, "reduction", "mean");
  if (reduction === "none") return stored(x.dtype, labels.shape, each);
  return reduction === "sum" || reduction === "mean" ? stored(x.dtype, [], [reduction === "sum" ? sum : sum / total]) : undefined;
}

export const NegativeLogLikelihoodLoss: Op = {
  infer,
  compute: ofTensors((node, [x, labels, weight]) => {
    const rates = x && numbersOf(x);
    return rates && labels && one(negative(node, x, rates, labels, weight));
  }),
};

/** The second output is the logarithm of the classes' softmax. */
export const SoftmaxCrossEntropyLoss: Op = {
  infer,
  compute: ofTensors((node, [x, labels, weight]) => {
    const rates = x && numbersOf(x);
    if (!x || !rates || !labels || x.shape.length < 2) return undefined;
    const logs = Float64Array.from(rates);
    const { starts, within } = lines(x.shape, [1]);
    for (const start of starts) {
      const line = Float64Array.from(within, (at) => logs[start + at] as number);
      logSoftmax(line);
      line.forEach((value, i) => {
        logs[start + (within[i] as number)] = value;
      });
    }
    const loss = negative(node, x, logs, labels, weight);
    return loss && [loss, stored(x.dtype, x.shape, logs)];
  }),
};
