/** Pools: the window of a kernel moves over the spatial axes of [N, C, …]. */
import type { Node } from "../graph/graph.ts";
import { elements, type Tensor } from "../tensor.ts";
import { ofTensors, one, roomFor, stored } from "./compute.ts";
import { computed, unknownDims } from "./dims.ts";
import { numbersOf } from "./elements.ts";
import { indicesOf } from "./indices.ts";
import { type Context, int, numbers, type Op } from "./op.ts";
import { strides } from "./strides.ts";
import { type Dims, integersOf } from "./value.ts";
import { isFull, slide, type Window, windowDims, windowOf } from "./window.ts";

/** Whether no window lies in the padding alone, as onnxruntime asks of pools. */
function isInside(node: Node, kernel: readonly number[]): boolean {
  const dilations = numbers(node, "dilations") ?? [];
  const reach = (i: number) => ((kernel[i] as number) - 1) * (dilations[i] ?? 1) + 1;
  return (numbers(node, "pads") ?? []).every((pad, i) => pad < reach(i % kernel.length));
}

function poolShape(node: Node, x: Dims | undefined, context: Context): Dims | undefined {
  if (!x || x.length < 3) return undefined;
  const kernel = numbers(node, "kernel_shape");
  if (kernel && !isInside(node, kernel)) return undefined;
  const dims = kernel ? windowDims(node, x.slice(2), kernel, context) : unknownDims(x.length - 2, context);
  return dims && [...x.slice(0, 2), ...dims];
}

/** What comes of the elements of a window, `from` the start of an image's channel. */
type Gather = (x: ArrayLike<number>, start: number, from: Int32Array, count: number, place: number) => number;

/** Every place of every channel; undefined where the window makes no sense, or a place has nothing of the input. */
function pooled(x: Tensor, window: Window | undefined, gather: Gather): Float64Array | undefined {
  const data = numbersOf(x);
  const shape = window && [...x.shape.slice(0, 2), ...window.places];
  const y = roomFor(shape);
  if (!data || !window || !y || !isFull(window)) return undefined;
  const [area, places, channels] = [window.dims, window.places, x.shape.slice(0, 2)].map(elements) as [number, number, number];
  const isDone = slide(window, (place, count, from) => {
    for (let i = 0; i < channels; i++) y[i * places + place] = gather(data, i * area, from, count, place);
  });
  return isDone ? y : undefined;
}

const largest: Gather = (x, start, from, count) => x[farthest(x, start, from, count)] as number;

/** Where the largest is, the first of equals; never a NaN beside numbers. */
function farthest(x: ArrayLike<number>, start: number, from: Int32Array, count: number): number {
  let best = start + (from[0] as number);
  for (let t = 1; t < count; t++) {
    const [at, most] = [start + (from[t] as number), x[best] as number];
    if ((x[at] as number) > most || Number.isNaN(most)) best = at;
  }
  return best;
}

const sumOf: Gather = (x, start, from, count) => {
  let sum = 0;
  for (let t = 0; t < count; t++) sum += x[start + (from[t] as number)] as number;
  return sum;
};

const norm =
  (p: number): Gather =>
  (x, start, from, count) => {
    let sum = 0;
    for (let t = 0; t < count; t++) sum += Math.abs(x[start + (from[t] as number)] as number) ** p;
    return sum ** (1 / p);
  };

/** How a node's windows are gathered. */
type Gathering = (node: Node, window: Window) => Gather | undefined;

const computing = (gathering: Gathering, windowAt: (node: Node, x: Tensor, y: readonly number[]) => Window | undefined) =>
  ofTensors((node, [x], { outputs: [y] }) => {
    const window = x && y?.shape && x.shape.length > 2 ? windowAt(node, x, y.shape) : undefined;
    const gather = window && gathering(node, window);
    const data = x && gather && pooled(x, window, gather);
    return data && one(stored(x.dtype, y?.shape as number[], data));
  });

const moving = (node: Node, x: Tensor, y: readonly number[]) => windowOf(node, x.shape.slice(2), y.slice(2), numbers(node, "kernel_shape"));
/** All of each channel. */
const whole = (_node: Node, { shape: [, , ...dims] }: Tensor): Window => {
  const [ones, zeros] = [dims.map(() => 1), dims.map(() => 0)];
  return { dims, places: ones, kernel: dims, strides: ones, dilations: ones, before: zeros, after: zeros };
};

const pool = (gathering: Gathering): Op => ({
  infer: (node, [x], context) => [{ dtype: x?.dtype, shape: poolShape(node, x?.shape, context) }],
  compute: computing(gathering, moving),
});
const global = (gathering: Gathering): Op => ({
  infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape?.map((d, i) => (i < 2 ? d : 1)) }],
  compute: computing(gathering, whole),
});

/** By the elements within, or with `count_include_pad` all that lie on the input and its padding. */
const average: Gathering = (node, window) => {
  if (int(node, "count_include_pad", 0) === 0) return (x, start, from, count, place) => sumOf(x, start, from, count, place) / count;
  const padded = window.dims.map((d, i) => d + (window.before[i] as number) + (window.after[i] as number));
  const counts = roomFor(window.places);
  const isDone = counts && slide({ ...window, dims: padded, before: padded.map(() => 0) }, (place, count) => void (counts[place] = count));
  return isDone ? (x, start, from, count, place) => sumOf(x, start, from, count, place) / (counts[place] as number) : undefined;
};
const lp: Gathering = (node) => norm(int(node, "p", 2));

export const AveragePool = pool(average);
export const LpPool = pool(lp);
export const GlobalAveragePool = global(average);
export const GlobalLpPool = global(lp);
export const GlobalMaxPool = global(() => largest);

/** The second output is where each maximum was, with `storage_order` 1 counted as if the first spatial axis moved fastest. */
export const MaxPool: Op = {
  infer(node, [x], context) {
    const shape = poolShape(node, x?.shape, context);
    return [
      { dtype: x?.dtype, shape },
      { dtype: "int64", shape },
    ];
  },
  compute: ofTensors((node, [x], { outputs: [y] }) => {
    const shape = y?.shape;
    const window = x && shape && x.shape.length > 2 ? moving(node, x, shape) : undefined;
    const places = window && x && pooled(x, window, farthest);
    const data = x && numbersOf(x);
    if (!places || !data || !shape || !window) return undefined;
    const values = stored(
      x.dtype,
      shape,
      places.map((at) => data[at] as number),
    );
    if (!values || node.output.length < 2) return one(values);
    const area = elements(window.dims);
    const [rows, turned] = [strides(window.dims), strides(window.dims.toReversed()).reverse()];
    const place = (at: number) =>
      int(node, "storage_order", 0) === 0
        ? at
        : window.dims.reduce((n, d, i) => n + (Math.floor(at / (rows[i] as number)) % d) * (turned[i] as number), at - (at % area));
    return [values, { dtype: "int64", shape, data: BigInt64Array.from(places, (at) => BigInt(place(at))) }];
  }),
};

export const MaxUnpool: Op = {
  infer(node, [x, , output], context) {
    if (output || !x?.shape) return [{ dtype: x?.dtype, shape: integersOf(output) ?? (x?.shape && unknownDims(x.shape.length, context)) }];
    const [kernel, strides, pads] = ["kernel_shape", "strides", "pads"].map((name) => numbers(node, name));
    const spatial = x.shape.slice(2);
    const dims = spatial.map((d, i) => {
      const padding = (pads?.[i] ?? 0) + (pads?.[i + spatial.length] ?? 0);
      const rest = (kernel?.[i] ?? 1) - padding;
      const stride = strides?.[i] ?? 1;
      return computed(`unpool/${[stride, rest]}`, [d], context, (size) => (size - 1) * stride + rest);
    });
    return [{ dtype: x.dtype, shape: dims.includes(undefined) ? undefined : [...x.shape.slice(0, 2), ...(dims as Dims)] }];
  },
  compute: ofTensors((_node, [x, indices], { outputs: [y] }) => {
    const [data, shape] = [x && numbersOf(x), y?.shape];
    const result = roomFor(shape);
    const places = result && indices && indicesOf(indices, result.length);
    if (!x || !data || !result || !shape || places?.length !== data.length) return undefined;
    for (let i = 0; i < data.length; i++) result[places[i] as number] = data[i] as number;
    return one(stored(x.dtype, shape, result));
  }),
};
