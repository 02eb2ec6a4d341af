/** Operators that look at places between the elements of an image: grids and regions. */
import { elements } from "../tensor.ts";
import { isRoom, ofTensors, one, roomFor, stored } from "./compute.ts";
import { unknownDims } from "./dims.ts";
import { numbersOf } from "./elements.ts";
import { roundEven } from "./half.ts";
import { type Context, int, numbers, type Op, text } from "./op.ts";
import { cubic, triangle } from "./resample.ts";
import { constantValue, elementsOf, integersOf, type Value } from "./value.ts";

/** Where an element outside of an axis is taken from: undefined for nowhere. */
function within(i: number, length: number, padding: string, aligned: boolean): number | undefined {
  if (i >= 0 && i < length) return i;
  if (padding === "zeros" || !Number.isFinite(i)) return undefined;
  if (padding === "border") return i < 0 ? 0 : length - 1;
  // Reflected about the middle of the elements at the ends, or about their far sides.
  const period = aligned ? 2 * (length - 1) : 2 * length;
  if (period === 0) return 0;
  const at = ((i % period) + period) % period;
  return at < length ? at : period - at - (aligned ? 0 : 1);
}

/** Elements around a place on one axis, with their weights. */
function around(x: number, length: number, mode: string, padding: string, aligned: boolean): [at: number, weight: number][] {
  const a = -0.75;
  const [first, last, f] =
    mode === "nearest"
      ? [roundEven(x), roundEven(x), () => 1]
      : mode === "linear"
        ? [Math.floor(x), Math.floor(x) + 1, triangle]
        : [Math.floor(x) - 1, Math.floor(x) + 2, (d: number) => cubic(d, a)];
  const taps: [number, number][] = [];
  for (let i = first; i <= last && Number.isFinite(x); i++) {
    const [at, weight] = [within(i, length, padding, aligned), f(i - x)];
    if (at !== undefined && weight !== 0) taps.push([at, weight]);
  }
  return taps;
}

/** x[N, C, …] at grid[N, …, 2 or 3]. */
export const GridSample: Op = {
  infer(_node, [x, grid], context) {
    const dims = grid?.shape?.slice(1, -1) ?? (x?.shape && unknownDims(x.shape.length - 2, context));
    return [{ dtype: x?.dtype, shape: dims && [x?.shape?.[0] ?? context.symbol(), x?.shape?.[1] ?? context.symbol(), ...dims] }];
  },
  /** The grid's coordinates are from −1 to 1, the last axis first. */
  compute: ofTensors((node, [x, grid], { outputs: [told] }) => {
    const [data, places, y] = [x && numbersOf(x), grid && numbersOf(grid), roomFor(told?.shape)];
    const [n = 0, channels = 0, ...dims] = x?.shape ?? [];
    const mode = text(node, "mode", "linear").replace(/^bi/, "");
    const padding = text(node, "padding_mode", "zeros");
    const aligned = int(node, "align_corners", 0) !== 0;
    const isWell = grid?.shape.at(-1) === dims.length && grid.shape[0] === n && grid.shape.length === x?.shape.length;
    if (!x || !data || !places || !y || !isWell || !["nearest", "linear", "cubic"].includes(mode)) return undefined;
    const [area, count] = [elements(dims), elements(grid.shape.slice(1, -1))];
    for (let i = 0; i < n * count; i++) {
      let taps: [number, number][] = [[0, 1]];
      dims.forEach((length, axis) => {
        const given = places[(i + 1) * dims.length - 1 - axis] as number;
        const from = Math.fround(given + 1);
        // Rounded as onnxruntime does: a place between two elements is to be the same.
        const at = Math.fround(aligned ? (from / 2) * (length - 1) : Math.fround(Math.fround(from * length) - 1) / 2);
        const next = around(at, length, mode, padding, aligned);
        taps = taps.flatMap(([from, weight]) => next.map(([k, by]): [number, number] => [from * length + k, weight * by]));
      });
      const image = Math.floor(i / count);
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (const [from, weight] of taps) sum += weight * (data[(image * channels + c) * area + from] as number);
        y[(image * channels + c) * count + (i % count)] = sum;
      }
    }
    return one(stored(x.dtype, told?.shape as number[], y));
  }),
};

/** theta[N, …] and size [N, C, …] → [N, …, 2 or 3]. */
export const AffineGrid: Op = {
  infer(_node, [theta, size], context) {
    const dims = elementsOf(size)?.map((d) => d ?? context.symbol());
    return [{ dtype: theta?.dtype, shape: dims && [dims[0] ?? context.symbol(), ...dims.slice(2), dims.length - 2] }];
  },
  compute: ofTensors((node, [theta, size]) => {
    const [data, list] = [theta && numbersOf(theta), size && integersOf(constantValue(size))];
    const [n = 0, , ...dims] = list ?? [];
    const rank = dims.length;
    const shape = [n, ...dims, rank];
    const isAligned = int(node, "align_corners", 0) !== 0;
    if (!theta || !data || !isRoom(shape) || theta.shape.join() !== [n, rank, rank + 1].join()) return undefined;
    const at = (i: number, d: number) => (isAligned ? (d > 1 ? (2 * i) / (d - 1) - 1 : 0) : (2 * i + 1) / d - 1);
    const area = elements(dims);
    const y = Float64Array.from({ length: elements(shape) }, (_, i) => {
      const [row, image] = [i % rank, Math.floor(i / rank / area)];
      let place = Math.floor(i / rank) % area;
      const first = (image * rank + row) * (rank + 1);
      let sum = data[first + rank] as number;
      for (let axis = rank - 1; axis >= 0; axis--) {
        const d = dims[axis] as number;
        sum += (data[first + rank - 1 - axis] as number) * at(place % d, d);
        place = Math.floor(place / d);
      }
      return sum;
    });
    return one(stored(theta.dtype, shape, y));
  }),
};

/** Regions x[N, C, H, W] → [regions, C, height, width]. */
const regions = (x: Value | undefined, rois: Value | undefined, height: number, width: number, context: Context): readonly Value[] => [
  { dtype: x?.dtype, shape: [rois?.shape?.[0] ?? context.symbol(), x?.shape?.[1] ?? context.symbol(), height, width] },
];

/** Regions are [image, x1, y1, x2, y2], whose ends count. */
export const MaxRoiPool: Op = {
  infer(node, [x, rois], context) {
    const [height = 0, width = 0] = numbers(node, "pooled_shape") ?? [];
    return regions(x, rois, height, width, context);
  },
  compute: ofTensors((node, [x, rois], { outputs: [told] }) => {
    const [data, boxes, y] = [x && numbersOf(x), rois && numbersOf(rois), roomFor(told?.shape)];
    const [n = 0, channels = 0, height = 0, width = 0] = x?.shape ?? [];
    const [, , rows = 0, columns = 0] = told?.shape ?? [];
    if (!x || !data || !boxes || !y || x.shape.length !== 4 || rois?.shape[1] !== 5) return undefined;
    const scale = int(node, "spatial_scale", 1);
    for (let i = 0; i < y.length; i++) {
      const [column, row, c, roi] = [
        i % columns,
        Math.floor(i / columns) % rows,
        Math.floor(i / columns / rows) % channels,
        Math.floor(i / columns / rows / channels),
      ];
      const [image, ...ends] = boxes.subarray(roi * 5, roi * 5 + 5) as unknown as [number, number, number, number, number];
      const [left, top, right, bottom] = ends.map((end) => Math.round(end * scale)) as [number, number, number, number];
      if (!(image >= 0 && image < n)) return undefined;
      const span = (place: number, first: number, last: number, count: number, length: number): [number, number] => {
        const bin = Math.max(last - first + 1, 1) / count;
        return [
          Math.min(length, Math.max(0, Math.floor(place * bin) + first)),
          Math.min(length, Math.max(0, Math.ceil((place + 1) * bin) + first)),
        ];
      };
      const [down, across] = [span(row, top, bottom, rows, height), span(column, left, right, columns, width)];
      let most = down[0] < down[1] && across[0] < across[1] ? Number.NEGATIVE_INFINITY : 0;
      for (let h = down[0]; h < down[1]; h++)
        for (let w = across[0]; w < across[1]; w++)
          most = Math.max(most, data[((image * channels + c) * height + h) * width + w] as number);
      y[i] = most;
    }
    return one(stored(x.dtype, told?.shape as number[], y));
  }),
};

/** Samples of a region in one direction, at most: a region may be larger than any image. */
const MAX_SAMPLES = 1 << 12;

/** Regions [x1, y1, x2, y2] of the images of `indices`; up to opset 15 without the half pixel. */
export const RoiAlign: Op = {
  infer: (node, [x, rois], context) => regions(x, rois, int(node, "output_height", 1), int(node, "output_width", 1), context),
  compute: ofTensors((node, [x, rois, indices], { opset, outputs: [told] }) => {
    const [data, boxes, y] = [x && numbersOf(x), rois && numbersOf(rois), roomFor(told?.shape)];
    const [n = 0, channels = 0, height = 0, width = 0] = x?.shape ?? [];
    const [count = 0, , rows = 0, columns = 0] = told?.shape ?? [];
    if (!x || !data || !boxes || !y || x.shape.length !== 4 || rois?.shape[1] !== 4 || indices?.data.length !== count) return undefined;
    const isHalf = text(node, "coordinate_transformation_mode", opset < 16 ? "output_half_pixel" : "half_pixel") === "half_pixel";
    const [scale, ratio, isMax] = [int(node, "spatial_scale", 1), int(node, "sampling_ratio", 0), text(node, "mode", "avg") === "max"];
    for (let roi = 0; roi < count; roi++) {
      const image = Number(indices.data[roi]);
      const [left, top, right, bottom] = Array.from(boxes.subarray(roi * 4, roi * 4 + 4), (end) => end * scale - (isHalf ? 0.5 : 0)) as [
        number,
        number,
        number,
        number,
      ];
      const [tall, wide] = [bottom - top, right - left].map((size) => (isHalf ? size : Math.max(size, 1))) as [number, number];
      const [down, across] = [samples(top, tall, rows, ratio, height), samples(left, wide, columns, ratio, width)];
      if (!(image >= 0 && image < n) || !down || !across) return undefined;
      for (let c = 0; c < channels; c++) {
        const plane = (image * channels + c) * height * width;
        for (let place = 0; place < rows * columns; place++) {
          const [ys, xs] = [down[Math.floor(place / columns)], across[place % columns]] as [Sample[], Sample[]];
          let [sum, most] = [0, Number.NEGATIVE_INFINITY];
          for (const v of ys) {
            for (const h of xs) {
              const parts = v.flatMap(([row, a]) => h.map(([column, b]) => a * b * (data[plane + row * width + column] as number)));
              for (const part of parts) sum += part;
              // As onnxruntime has it, the largest of the weighted elements.
              most = Math.max(most, parts.length > 0 ? Math.max(...parts) : 0);
            }
          }
          y[(roi * channels + c) * rows * columns + place] = ys.length * xs.length === 0 ? 0 : isMax ? most : sum / (ys.length * xs.length);
        }
      }
    }
    return one(stored(x.dtype, told?.shape as number[], y));
  }),
};

/** Elements with their weights; none outside of the image. */
type Sample = [at: number, weight: number][];

/** For each bin along one axis, its samples. */
function samples(start: number, size: number, bins: number, ratio: number, length: number): Sample[][] | undefined {
  const bin = size / bins;
  const each = ratio > 0 ? ratio : Math.ceil(bin);
  if (!(each <= MAX_SAMPLES)) return undefined;
  return Array.from({ length: bins }, (_, i) =>
    Array.from({ length: Math.max(0, each) }, (_, k): Sample => {
      const x = start + (i + (k + 0.5) / each) * bin;
      if (!(x >= -1 && x <= length)) return [];
      const at = Math.min(length - 1, Math.max(0, x));
      const low = Math.floor(at);
      return [
        [low, 1 - (at - low)],
        [Math.min(length - 1, low + 1), at - low],
      ];
    }),
  );
}
