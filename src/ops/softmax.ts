/** Operators that make each line of elements another. */
import type { Node } from "../graph/graph.ts";
import { ofTensors, one, roomFor, stored } from "./compute.ts";
import { numbersOf } from "./elements.ts";
import { standardized } from "./normalized.ts";
import { axesOf, axisOf, int, numbers, type Op } from "./op.ts";
import { lines } from "./strides.ts";

/** Each line along axes is what `f` makes of it, in place. */
const eachLine = (
  axesFor: (node: Node, rank: number, opset: number) => readonly number[] | undefined,
  f: (line: Float64Array, node: Node) => void,
): Op => ({
  infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }],
  compute: ofTensors((node, [x], { opset }) => {
    const axes = x && axesFor(node, x.shape.length, opset);
    const [data, y] = [x && numbersOf(x), roomFor(x?.shape)];
    if (!axes || !data || !y) return undefined;
    const { starts, within } = lines(x.shape, axes);
    const line = new Float64Array(within.length);
    for (const start of starts) {
      for (let i = 0; i < line.length; i++) line[i] = data[start + (within[i] as number)] as number;
      f(line, node);
      for (let i = 0; i < line.length; i++) y[start + (within[i] as number)] = line[i] as number;
    }
    return one(stored(x.dtype, x.shape, y));
  }),
});

/** One axis, the last where it is not said; up to opset 12 all from `axis` on, which is 1 where it is not said. */
function softmaxAxes(node: Node, rank: number, opset: number): readonly number[] | undefined {
  const axis = axisOf(int(node, "axis", opset < 13 ? 1 : -1), rank);
  if (axis === undefined) return undefined;
  return opset < 13 ? Array.from({ length: rank - axis }, (_, i) => axis + i) : [axis];
}

const largest = (line: Float64Array): number => line.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);

export function softmax(line: Float64Array): void {
  const most = largest(line);
  let sum = 0;
  for (let i = 0; i < line.length; i++) sum += line[i] = Math.exp((line[i] as number) - most);
  for (let i = 0; i < line.length; i++) line[i]! /= sum;
}

export function logSoftmax(line: Float64Array): void {
  const most = largest(line);
  const sum = line.reduce((n, x) => n + Math.exp(x - most), 0);
  for (let i = 0; i < line.length; i++) line[i] = (line[i] as number) - most - Math.log(sum);
}

export const Softmax = eachLine(softmaxAxes, softmax);
export const LogSoftmax = eachLine(softmaxAxes, logSoftmax);
/** 1 at the first of the largest. */
export const Hardmax = eachLine(softmaxAxes, (line) => {
  const at = line.indexOf(largest(line));
  line.fill(0);
  if (at >= 0) line[at] = 1;
});

const lastAxis = (node: Node, rank: number) => axesOf([int(node, "axis", -1)], rank);
export const LpNormalization = eachLine(lastAxis, (line, node) => {
  const norm = int(node, "p", 2) === 1 ? line.reduce((n, x) => n + Math.abs(x), 0) : Math.sqrt(line.reduce((n, x) => n + x * x, 0));
  if (norm !== 0) for (let i = 0; i < line.length; i++) line[i]! /= norm;
});

export const MeanVarianceNormalization = eachLine(
  (node, rank) => axesOf(numbers(node, "axes") ?? [0, 2, 3], rank),
  (line) => {
    const { mean, deviation } = standardized(line, 0);
    for (let i = 0; i < line.length; i++) line[i] = ((line[i] as number) - mean) / (deviation + 1e-9);
  },
);
