/** Normalization: the same shape comes out, and sometimes the statistics. */
import type { Node } from "../graph/graph.ts";
import type { Tensor } from "../tensor.ts";
import { type Compute, ofTensors, one, roomFor, stored } from "./compute.ts";
import { mayEqual } from "./dims.ts";
import { numbersOf } from "./elements.ts";
import { normalized, standardized } from "./normalized.ts";
import { axisOf, dtypeAttribute, int, type Op } from "./op.ts";
import { broadcastShape } from "./product.ts";
import { broadcastStrides, lines, offsets } from "./strides.ts";
import type { Value } from "./value.ts";

const infer: Op["infer"] = (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }];

/** By the squares of neighbouring channels of [N, C, …]. */
export const LRN: Op = {
  infer,
  compute: ofTensors((node, [x]) => {
    const [data, y] = [x && numbersOf(x), roomFor(x?.shape)];
    const size = int(node, "size", 0);
    if (!x || !data || !y || x.shape.length < 2 || !(size >= 1)) return undefined;
    const [alpha, beta, bias] = [int(node, "alpha", 1e-4), int(node, "beta", 0.75), int(node, "bias", 1)];
    const { starts, within } = lines(x.shape, [1]);
    for (const start of starts) {
      for (let c = 0; c < within.length; c++) {
        let sum = 0;
        const last = Math.min(within.length - 1, c + Math.ceil((size - 1) / 2));
        for (let i = Math.max(0, c - Math.floor((size - 1) / 2)); i <= last; i++)
          sum += (data[start + (within[i] as number)] as number) ** 2;
        const at = start + (within[c] as number);
        y[at] = (data[at] as number) / (bias + (alpha / size) * sum) ** beta;
      }
    }
    return one(stored(x.dtype, x.shape, y));
  }),
};

/** Statistics follow where the node asks for them: mean and variance, and what older opsets save beside them. */
export const BatchNormalization: Op = {
  infer(node, [x, ...lists]) {
    const [scale, , mean] = lists;
    const statistic: Value = { dtype: mean?.dtype ?? scale?.dtype ?? x?.dtype, shape: mean?.shape };
    const isWell =
      int(node, "spatial", 1) !== 1 || lists.every((list) => mayEqual(list?.shape?.[0], x?.shape?.length === 1 ? 1 : x?.shape?.[1]));
    return [{ dtype: x?.dtype, shape: isWell ? x?.shape : undefined }, statistic, statistic, statistic, statistic];
  },
  /** Running statistics come of those of the batch in training mode, from opset 14 on; older training is not supported. */
  compute: ofTensors((node, [x, ...rest], { opset }) => {
    const data = x && numbersOf(x);
    const [scale, bias, mean, variance] = rest.map((each) => each && numbersOf(each));
    const y = roomFor(x?.shape);
    const channels = x?.shape[1] ?? 1;
    const isTraining = int(node, "training_mode", 0) !== 0;
    if (!data || !y || ![scale, bias, mean, variance].every((list) => list?.length === channels)) return undefined;
    if ((opset < 14 && node.output.slice(1).some((name) => name)) || int(node, "spatial", 1) !== 1) return undefined;
    const epsilon = int(node, "epsilon", 1e-5);
    const momentum = int(node, "momentum", 0.9);
    const running = [mean, variance].map((list) => Float64Array.from(list as Float32Array)) as [Float64Array, Float64Array];
    const { starts, within } = lines(
      x.shape,
      [...x.shape.keys()].filter((axis) => axis !== 1),
    );
    for (let c = 0; c < channels; c++) {
      const start = x.shape.length < 2 ? 0 : (starts[c] as number);
      let [m, v] = [running[0][c], running[1][c]] as [number, number];
      if (isTraining) {
        const batch = standardized(
          Float64Array.from(within, (at) => data[start + at] as number),
          0,
        );
        [m, v] = [batch.mean, batch.deviation ** 2];
        running[0][c] = (running[0][c] as number) * momentum + m * (1 - momentum);
        running[1][c] = (running[1][c] as number) * momentum + v * (1 - momentum);
      }
      const factor = (scale?.[c] as number) / Math.sqrt(v + epsilon);
      for (const at of within) y[start + at] = ((data[start + at] as number) - m) * factor + (bias?.[c] as number);
    }
    const statistics = isTraining ? running.map((list, i) => stored(rest[i + 2]?.dtype, [channels], list)) : [];
    const result = stored(x.dtype, x.shape, y);
    return result && [result, ...statistics];
  }),
};

/** A scale and a bias for each channel of [N, C, …], each image's channels normalized in groups. */
const byGroups = (groupsOf: (node: Node, channels: number) => number): Compute =>
  ofTensors((node, [x, scale, bias]) => {
    const [data, scales, biases] = [x, scale, bias].map((each) => each && numbersOf(each));
    const [n = 0, channels = 0] = x?.shape ?? [];
    const groups = groupsOf(node, channels);
    if (!x || !data || !scales || scales.length !== biases?.length || x.shape.length < 2 || !(groups >= 1) || channels % groups !== 0)
      return undefined;
    // GroupNormalization has a scale for each group up to opset 20.
    const each = scales.length === channels ? channels : groups;
    if (scales.length !== each) return undefined;
    const size = data.length / Math.max(1, n * groups);
    const step = (size * groups) / each;
    const y = normalized(data, lines([n * groups, size], [1]), int(node, "epsilon", 1e-5), true, (value, line, place) => {
      const at = Math.floor(((line % groups) * size + place) / step);
      return value * (scales[at] as number) + (biases[at] as number);
    });
    return one(stored(x.dtype, x.shape, y.data));
  });

export const InstanceNormalization: Op = { infer, compute: byGroups((_node, channels) => channels) };
export const GroupNormalization: Op = { infer, compute: byGroups((node) => int(node, "num_groups", 0)) };

/** Normalized over the axes from `axis` on; then the mean, where there is one, and the inverse deviation. */
const layer = (isCentered: boolean): Compute =>
  ofTensors((node, [x, scale, bias], { outputs: [told, second] }) => {
    const [data, scales, biases] = [x, scale, bias].map((each) => each && numbersOf(each));
    const first = x && axisOf(int(node, "axis", -1), x.shape.length);
    if (first === undefined || !x || !data || !scales || (bias && !biases)) return undefined;
    const axes = Array.from({ length: x.shape.length - first }, (_, i) => first + i);
    const inner = x.shape.slice(first);
    const spread = (of: Tensor | undefined) =>
      of && broadcastShape(of.shape, inner)?.join() === inner.join() ? offsets(inner, broadcastStrides(of.shape, inner)) : undefined;
    const [scaleAt, biasAt] = [spread(scale), spread(bias)];
    if (!scaleAt || (bias && !biasAt)) return undefined;
    const y = normalized(data, lines(x.shape, axes), int(node, "epsilon", 1e-5), isCentered, (value, _line, place) => {
      const scaled = value * (scales[scaleAt[place] as number] as number);
      return biases && biasAt ? scaled + (biases[biasAt[place] as number] as number) : scaled;
    });
    const statistic = (list: Float64Array) =>
      stored(
        second?.dtype,
        x.shape.with(first, 1).map((d, i) => (i < first ? d : 1)),
        list,
      );
    const result = stored(told?.dtype, x.shape, y.data);
    return result && [result, ...(isCentered ? [statistic(y.means)] : []), ...(node.output.length > 1 ? [statistic(y.inverses)] : [])];
  });

/** Mean and inverse deviation have the type `stash_type` and 1 for the axes from `axis` on. */
export const LayerNormalization: Op = {
  infer(node, [x]) {
    const first = x?.shape && axisOf(int(node, "axis", -1), x.shape.length);
    const shape = first === undefined ? undefined : x?.shape?.map((d, i) => (i < first ? d : 1));
    const statistic: Value = { dtype: dtypeAttribute(node, "stash_type", "float32"), shape };
    return [{ dtype: x?.dtype, shape: x?.shape }, statistic, statistic];
  },
  compute: layer(true),
};

export const RMSNormalization: Op = { infer, compute: layer(false) };

/** Stands in ai.onnx though onnxruntime defines it; its output has the scale's type. */
export const SimplifiedLayerNormalization: Op = {
  infer(node, inputs, context) {
    const [y, ...statistics] = LayerNormalization.infer(node, inputs, context);
    return [{ ...y, dtype: inputs[1]?.dtype ?? inputs[0]?.dtype }, ...statistics];
  },
  compute: layer(false),
};
