/** Pools: the window of a kernel moves over the spatial axes of [N, C, …]. */

import type { Node } from "../graph/graph.ts";
import { computed, unknownDims } from "./dims.ts";
import { type Context, int, numbers, type Op } from "./op.ts";
import { type Dims, integersOf, type Value } from "./value.ts";
import { windowDims } from "./window.ts";

function poolShape(node: Node, x: Dims | undefined, context: Context): Dims | undefined {
  if (!x || x.length < 3) return undefined;
  const kernel = numbers(node, "kernel_shape");
  const dims = kernel ? windowDims(node, x.slice(2), kernel, context) : unknownDims(x.length - 2, context);
  return dims && [...x.slice(0, 2), ...dims];
}

const pool: Op = { infer: (node, [x], context) => [{ dtype: x?.dtype, shape: poolShape(node, x?.shape, context) }] };
const global: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape?.map((d, i) => (i < 2 ? d : 1)) }] };

export const AveragePool = pool;
export const LpPool = pool;
export const GlobalAveragePool = global;
export const GlobalLpPool = global;
export const GlobalMaxPool = global;

/** The second output is where each maximum was. */
export const MaxPool: Op = {
  infer(node, [x], context) {
    const shape = poolShape(node, x?.shape, context);
    return [
      { dtype: x?.dtype, shape },
      { dtype: "int64", shape },
    ];
  },
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
};

/** Regions x[N, C, H, W] → [regions, C, height, width]. */
const regions = (x: Value | undefined, rois: Value | undefined, height: number, width: number, context: Context): readonly Value[] => [
  { dtype: x?.dtype, shape: [rois?.shape?.[0] ?? context.symbol(), x?.shape?.[1] ?? context.symbol(), height, width] },
];

export const MaxRoiPool: Op = {
  infer(node, [x, rois], context) {
    const [height = 0, width = 0] = numbers(node, "pooled_shape") ?? [];
    return regions(x, rois, height, width, context);
  },
};

export const RoiAlign: Op = {
  infer: (node, [x, rois], context) => regions(x, rois, int(node, "output_height", 1), int(node, "output_width", 1), context),
};
