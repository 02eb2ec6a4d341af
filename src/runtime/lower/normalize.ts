/** Softmax, normalizations and reductions. https://onnx.ai/onnx/operators/ */
import { axesOf, axisOf, int } from "../../ops/op.ts";
import { integersOf } from "../../ops/value.ts";
import { elements } from "../../tensor.ts";
import type { Call, Lower } from "./lower.ts";

/** A kernel over [outer, n, inner]; before opset 13 all axes from `axis` on are one. */
const along =
  (kernel: "f32_softmax" | "f32_log_softmax"): Lower =>
  ({ node, opset, inputs: [x], outputs: [y], fn }) => {
    const rank = x?.shape.length ?? 0;
    const axis = axisOf(int(node, "axis", opset < 13 ? 1 : -1), rank);
    if (!x || !y || x.dtype !== "float32" || axis === undefined) return undefined;
    const outer = elements(x.shape.slice(0, axis));
    const [n, inner] = opset < 13 ? [elements(x.shape.slice(axis)), 1] : [x.shape[axis] as number, elements(x.shape.slice(axis + 1))];
    return () => fn[kernel](outer, n, inner, x.address, y.address);
  };

export const Softmax = along("f32_softmax");
export const LogSoftmax = along("f32_log_softmax");

const epsilonOf = ({ node: { attributes } }: Call, otherwise = 1e-5): number =>
  typeof attributes.epsilon === "number" ? attributes.epsilon : otherwise;

/** Over the axes from `axis` on. The mean counts as 0 where it is not centered. */
const layer =
  (centered: 0 | 1): Lower =>
  (call) => {
    const { node, inputs, outputs, fn } = call;
    const [x, scale, bias] = inputs;
    const [y, ...more] = outputs;
    const axis = x && axisOf(int(node, "axis", -1), x.shape.length);
    if (!x || !scale || !y || more.some(Boolean) || x.dtype !== "float32" || axis === undefined) return undefined;
    const [rows, n] = [elements(x.shape.slice(0, axis)), elements(x.shape.slice(axis))];
    if (elements(scale.shape) !== n || (bias && elements(bias.shape) !== n)) return undefined;
    const epsilon = epsilonOf(call);
    return () => fn.f32_layer_norm(rows, n, x.address, y.address, scale.address, bias?.address ?? 0, epsilon, centered, 0, 0);
  };

export const LayerNormalization = layer(1);
export const RMSNormalization = layer(0);
export const SimplifiedLayerNormalization = layer(0);

/** com.microsoft: x and skip are added first; the sum is the fourth output. */
const skipLayer =
  (centered: 0 | 1): Lower =>
  (call) => {
    const [x, skip, scale, ...rest] = call.inputs;
    const [bias, added] = centered ? rest : [undefined, rest[0]];
    const [y, mean, variance, total] = call.outputs;
    const n = x?.shape.at(-1) ?? 0;
    if (!x || !skip || !scale || !y || mean || variance || added || x.dtype !== "float32" || skip.shape.join() !== x.shape.join())
      return undefined;
    if ([scale, bias].some((row) => row && elements(row.shape) !== n)) return undefined;
    const rows = elements(x.shape.slice(0, -1));
    const epsilon = epsilonOf(call, 1e-12);
    const { fn } = call;
    return () =>
      fn.f32_layer_norm(
        rows,
        n,
        x.address,
        y.address,
        scale.address,
        bias?.address ?? 0,
        epsilon,
        centered,
        skip.address,
        total?.address ?? 0,
      );
  };

export const SkipLayerNormalization = skipLayer(1);
export const SkipSimplifiedLayerNormalization = skipLayer(0);

const REDUCTIONS = { Sum: 0, Mean: 1, Max: 2, Min: 3, Prod: 4, L1: 5, L2: 6, SumSquare: 7, LogSum: 8, LogSumExp: 9 };

/** Axes that are neighbours. */
const reduce =
  (op: number): Lower =>
  ({ node, inputs: [x, list], outputs: [y], fn }) => {
    if (!x || !y || x.dtype !== "float32" || (list && !list.constant)) return undefined;
    const given = list?.constant ? integersOf({ constant: list.constant }) : (node.attributes.axes as readonly number[] | undefined);
    const isNone = !given || given.length === 0;
    if (isNone && int(node, "noop_with_empty_axes", 0) !== 0) return undefined;
    const axes = axesOf(isNone ? [...x.shape.keys()] : given, x.shape.length)?.toSorted((a, b) => a - b);
    if (!axes?.every((axis, i) => axis === (axes[0] as number) + i)) return undefined;
    const [first = 0] = axes;
    const [outer, n, inner] = [x.shape.slice(0, first), x.shape.slice(first, first + axes.length), x.shape.slice(first + axes.length)].map(
      elements,
    ) as [number, number, number];
    return () => fn.f32_reduce(op, outer, n, inner, x.address, y.address);
  };

export const ReduceSum = reduce(REDUCTIONS.Sum);
export const ReduceMean = reduce(REDUCTIONS.Mean);
export const ReduceMax = reduce(REDUCTIONS.Max);
export const ReduceMin = reduce(REDUCTIONS.Min);
export const ReduceProd = reduce(REDUCTIONS.Prod);
export const ReduceL1 = reduce(REDUCTIONS.L1);
export const ReduceL2 = reduce(REDUCTIONS.L2);
export const ReduceSumSquare = reduce(REDUCTIONS.SumSquare);
export const ReduceLogSum = reduce(REDUCTIONS.LogSum);
export const ReduceLogSumExp = reduce(REDUCTIONS.LogSumExp);

const arg =
  (least: 0 | 1): Lower =>
  ({ node, inputs: [x], outputs: [y], fn }) => {
    const axis = x && axisOf(int(node, "axis", 0), x.shape.length);
    if (!x || !y || x.dtype !== "float32" || axis === undefined || x.shape[axis] === 0) return undefined;
    const last = int(node, "select_last_index", 0);
    const [outer, n, inner] = [elements(x.shape.slice(0, axis)), x.shape[axis] as number, elements(x.shape.slice(axis + 1))];
    return () => fn.f32_arg(least, last, outer, n, inner, x.address, y.address);
  };

export const ArgMax = arg(0);
export const ArgMin = arg(1);
