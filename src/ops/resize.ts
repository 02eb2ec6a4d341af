/** Operators that change the size of an image. */
import type { Node } from "../graph/graph.ts";
import { isFloat, type Tensor } from "../tensor.ts";
import { type Compute, isRoom, ofTensors, one, stored } from "./compute.ts";
import { computed, unknownDims } from "./dims.ts";
import { numbersOf } from "./elements.ts";
import { axesOf, type Context, int, numbers, type Op, text } from "./op.ts";
import { cubic, resampled, type Taps, tapsAround, triangle } from "./resample.ts";
import { offsets } from "./strides.ts";
import { constantValue, type Dims, elementsOf, floatsOf, integersOf } from "./value.ts";

/** Dimensions times scales, rounded down. */
const scaled = (shape: Dims, scales: readonly number[], context: Context): Dims | undefined => {
  const dims = shape.map((d, i) => {
    const scale = scales[i] ?? 1;
    return scale === 1 ? d : computed(`scaled/${scale}`, [d], context, (size) => Math.floor(Math.fround(size) * Math.fround(scale)));
  });
  return dims.includes(undefined) ? undefined : (dims as Dims);
};

/** What a node says of one axis. */
interface Axis {
  length: number;
  size: number;
  scale: number;
  start: number;
  end: number;
}

/** Where the elements of the output lie on the input's axis. */
const COORDINATES: Record<string, (x: number, axis: Axis) => number> = {
  half_pixel: (x, { scale }) => (x + 0.5) / scale - 0.5,
  half_pixel_symmetric: (x, { length, size, scale }) => (length / 2) * (1 - size / (scale * length)) + (x + 0.5) / scale - 0.5,
  pytorch_half_pixel: (x, { size, scale }) => (size > 1 ? (x + 0.5) / scale - 0.5 : 0),
  tf_half_pixel_for_nn: (x, { scale }) => (x + 0.5) / scale,
  asymmetric: (x, { scale }) => x / scale,
  align_corners: (x, { length, size }) => (size > 1 ? (x * (length - 1)) / (size - 1) : 0),
  tf_crop_and_resize: (x, { length, size, start, end }) =>
    size > 1 ? start * (length - 1) + (x * (end - start) * (length - 1)) / (size - 1) : 0.5 * (start + end) * (length - 1),
};

const NEAREST: Record<string, (x: number, scale: number) => number> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
  /** Of operators before opset 11. */
  simple: (x, scale) => (scale < 1 ? Math.ceil(x) : Math.trunc(x)),
};

interface How {
  mode: string;
  coordinates: string;
  nearest: string;
}

function tapsOf(node: Node, { mode, coordinates, nearest }: How, axis: Axis): { taps: Taps[]; outside: boolean[] } | undefined {
  const [at, round] = [COORDINATES[coordinates], NEAREST[nearest]];
  const { length, size, scale } = axis;
  if (!at || !round || !["nearest", "linear", "cubic"].includes(mode) || !isRoom([size]) || !(scale > 0) || (length === 0 && size > 0))
    return undefined;
  const places = Array.from({ length: size }, (_, x) => Math.fround(at(x, axis)));
  const outside = places.map((x) => coordinates === "tf_crop_and_resize" && (x < 0 || x > length - 1));
  if (mode === "nearest")
    return { taps: places.map((x) => ({ indices: [Math.min(length - 1, Math.max(0, round(x, scale)))], weights: [1] })), outside };
  const a = int(node, "cubic_coeff_a", -0.75);
  const [f, radius] = mode === "linear" ? [triangle, 1] : [(x: number) => cubic(x, a), 2];
  // Where a filter is wider than the input many times over, it is the input's mean.
  const widened = int(node, "antialias", 0) !== 0 ? Math.max(1 / (length + 1), Math.min(1, scale)) : 1;
  const excludes = int(node, "exclude_outside", 0) !== 0;
  // Linear interpolation between the ends and what lies outside is the ends.
  const clamped = (x: number) =>
    widened === 1 && mode === "linear" ? Math.min(length - 1, Math.max(0, x)) : Math.min(length + 2, Math.max(-3, x));
  return { taps: places.map((x) => tapsAround(clamped(x), length, f, radius, widened, excludes)), outside };
}

/**
 * For each axis of an image of `shape` channels first, from which elements each place is made, and how much of each; undefined for an axis that
 * stays. Undefined in all where that is not all that the node does. `inputs` are those of Resize or Upsample behind the image.
 */
export function tapsOfResize(
  node: Node,
  shape: readonly number[],
  inputs: readonly (Tensor | undefined)[],
  opset: number,
): readonly (readonly Taps[] | undefined)[] | undefined {
  const told = node.op_type === "Upsample" ? upsampled(node, shape, inputs) : resizedBy(node, shape, inputs, opset);
  if (!told || told.how.coordinates === "tf_crop_and_resize") return undefined;
  const found = told.axes.map((axis) => axis && (tapsOf(node, told.how, axis)?.taps ?? null));
  return found.includes(null) ? undefined : (found as (readonly Taps[] | undefined)[]);
}

/** What a node does to each axis. */
interface Resizing {
  axes: readonly (Axis | undefined)[];
  how: How;
}

function resize(node: Node, x: Tensor, axes: readonly (Axis | undefined)[], how: How): Tensor | undefined {
  const shape = axes.map((axis, i) => axis?.size ?? (x.shape[i] as number));
  let data: ArrayLike<number> | undefined = numbersOf(x);
  let current: readonly number[] = x.shape;
  const outside: (boolean[] | undefined)[] = [];
  for (const [i, axis] of axes.entries()) {
    const found = axis && tapsOf(node, how, axis);
    outside.push(found?.outside);
    if (axis && !found) return undefined;
    if (!data || !found) continue;
    data = resampled(data, current, i, found.taps);
    current = current.with(i, found.taps.length);
  }
  if (!data || !isRoom(shape)) return undefined;
  const y = Float64Array.from(data);
  const isOutside = shape.map((d, i) => Int32Array.from({ length: d }, (_, k) => Number(outside[i]?.[k] ?? false)));
  if (isOutside.some((list) => list.includes(1))) {
    const value = int(node, "extrapolation_value", 0);
    const counts = isOutside.reduce(
      (sums, list) =>
        Int32Array.from(
          { length: sums.length * list.length },
          (_, i) => (sums[Math.floor(i / list.length)] as number) + (list[i % list.length] as number),
        ),
      offsets([], []),
    );
    for (let i = 0; i < y.length; i++) if ((counts[i] as number) > 0) y[i] = value;
  }
  // Integers are cut as those of a float32 are.
  return stored(x.dtype, shape, isFloat(x.dtype) ? y : y.map(Math.fround));
}

/** Scales are an attribute up to opset 8. */
export const Upsample: Op = {
  infer(node, [x, list], context) {
    const scales = list ? floatsOf(list) : numbers(node, "scales");
    if (!x?.shape || scales?.length !== x.shape.length)
      return [{ dtype: x?.dtype, shape: x?.shape && unknownDims(x.shape.length, context) }];
    return [{ dtype: x.dtype, shape: scaled(x.shape, scales, context) }];
  },
  compute: ofTensors((node, [x, ...rest]) => {
    const told = x && upsampled(node, x.shape, rest);
    return told && one(resize(node, x, told.axes, told.how));
  }),
};

function upsampled(node: Node, shape: readonly number[], [list]: readonly (Tensor | undefined)[]): Resizing | undefined {
  const scales = list ? numbersOf(list) : numbers(node, "scales");
  return scales && resizeBy(shape, scales, [...shape.keys()], SIMPLE(node));
}

const SIMPLE = (node: Node): How => ({
  mode: text(node, "mode", "nearest").replace(/^bi/, ""),
  coordinates: "asymmetric",
  nearest: "simple",
});

/** By scales of the chosen axes. */
function resizeBy(
  shape: readonly number[],
  scales: ArrayLike<number>,
  axes: readonly number[],
  how: How,
  roi?: ArrayLike<number>,
  sizes?: readonly number[],
): Resizing | undefined {
  if (scales.length !== axes.length) return undefined;
  const told = shape.map((length, i): Axis | undefined => {
    const at = axes.indexOf(i);
    const scale = Math.fround(scales[at] ?? 1);
    const size = sizes?.[at] ?? Math.floor(Math.fround(length) * scale);
    if (at < 0 || (scale === 1 && size === length && how.coordinates !== "tf_crop_and_resize")) return undefined;
    return { length, size, scale, start: roi?.[at] ?? 0, end: roi?.[at + axes.length] ?? 1 };
  });
  return { axes: told, how };
}

/** Sizes of the chosen axes, and the scales that they stand for. */
function sizesBy(
  node: Node,
  shape: readonly number[],
  wanted: readonly number[],
  axes: readonly number[],
): { sizes: readonly number[]; scales: number[] } | undefined {
  const lengths = axes.map((axis) => shape[axis] as number);
  const scales = wanted.map((size, i) => size / (lengths[i] as number));
  const policy = text(node, "keep_aspect_ratio_policy", "stretch");
  if (policy === "stretch") return { sizes: wanted, scales };
  if (policy !== "not_larger" && policy !== "not_smaller") return undefined;
  const scale = Math.fround((policy === "not_larger" ? Math.min : Math.max)(...scales.map(Math.fround)));
  return { sizes: lengths.map((length) => Math.round(Math.fround(scale * length))), scales: lengths.map(() => scale) };
}

function resizedBy(node: Node, shape: readonly number[], inputs: readonly (Tensor | undefined)[], opset: number): Resizing | undefined {
  const [roi, scale, size] = opset < 11 ? [undefined, inputs[0], undefined] : inputs;
  const axes = axesOf(numbers(node, "axes") ?? [...shape.keys()], shape.length);
  if (!axes) return undefined;
  const mode = text(node, "mode", "nearest");
  const coordinates = text(node, "coordinate_transformation_mode", "half_pixel");
  const how = opset < 11 ? SIMPLE(node) : { mode, coordinates, nearest: text(node, "nearest_mode", "round_prefer_floor") };
  const window = roi && numbersOf(roi);
  if (coordinates === "tf_crop_and_resize" && window?.length !== 2 * axes.length) return undefined;
  if (scale && scale.data.length > 0) return resizeBy(shape, numbersOf(scale) ?? [], axes, how, window);
  const wanted = size && integersOf(constantValue(size));
  const told = wanted?.length === axes.length && wanted.every((d) => d >= 0) ? sizesBy(node, shape, wanted, axes) : undefined;
  return told && resizeBy(shape, told.scales, axes, how, window, told.sizes);
}

const computeResize: Compute = ofTensors((node, [x, ...rest], { opset }) => {
  const told = x && resizedBy(node, x.shape, rest, opset);
  return told && one(resize(node, x, told.axes, told.how));
});

/** Scales or sizes; of the chosen axes, where `axes` is given (opset 18). https://onnx.ai/onnx/operators/onnx__Resize.html */
export const Resize: Op = {
  infer(node, inputs, context) {
    const [x] = inputs;
    const shape = x?.shape;
    if (!shape) return [{ dtype: x?.dtype }];
    const unknown = [{ dtype: x.dtype, shape: unknownDims(shape.length, context) }];
    const [scales, sizes] = context.opset < 11 ? [inputs[1], undefined] : [inputs[2], inputs[3]];
    const axes = axesOf(numbers(node, "axes") ?? [...shape.keys()], shape.length);
    if (!axes || text(node, "keep_aspect_ratio_policy", "stretch") !== "stretch") return unknown;
    const spread = <T>(list: readonly T[], rest: (axis: number) => T) =>
      shape.map((_, i) => (axes.includes(i) ? (list[axes.indexOf(i)] as T) : rest(i)));
    const wanted = elementsOf(sizes);
    if (wanted?.length === axes.length && axes.length > 0)
      return [{ dtype: x.dtype, shape: spread(wanted, (i) => shape[i]).map((d) => d ?? context.symbol()) }];
    const factors = floatsOf(scales);
    return factors?.length === axes.length
      ? [
          {
            dtype: x.dtype,
            shape: scaled(
              shape,
              spread(factors, () => 1),
              context,
            ),
          },
        ]
      : unknown;
  },
  compute: computeResize,
};
