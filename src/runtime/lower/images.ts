/** Pools and resizing of images whose channels are last. https://onnx.ai/onnx/operators/ */
import { int, numbers } from "../../ops/op.ts";
import { tapsOfResize } from "../../ops/resize.ts";
import { BITS, elements } from "../../tensor.ts";
import type { Call, Lower } from "./lower.ts";
import { type Pair, type Plane, planeOf } from "./plane.ts";

/** A pool whose kernel goes over one image. */
const pool =
  (make: (call: Call, plane: Plane, c: number) => (x: number, y: number) => void): Lower =>
  (call) => {
    const [[x], [y]] = [call.inputs, call.outputs];
    if (!x || !y) return undefined;
    const plane = planeOf(call, x.shape, y.shape, numbers(call.node, "kernel_shape") ?? []);
    if (!plane?.isFull) return undefined;
    const [images = 0] = x.shape;
    const c = x.shape.at(-1) as number;
    const run = make(call, plane, c);
    const [size_x, size_y] = [plane.h * plane.wd * c * 4, plane.oh * plane.ow * c * 4];
    return () => {
      for (let i = 0; i < images; i++) run(x.address + i * size_x, y.address + i * size_y);
    };
  };

export const MaxPool = pool(({ fn }, { h, wd, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl }, c) => {
  return (x, y) => fn.f32_max_pool(h, wd, c, kh, kw, sh, sw, dh, dw, pt, pl, oh, ow, x, y);
});

export const AveragePool = pool(({ fn, node }, plane, c) => {
  const { h, wd, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl, pb, pr } = plane;
  const counts = int(node, "count_include_pad", 0);
  return (x, y) => fn.f32_average_pool(h, wd, c, kh, kw, sh, sw, dh, dw, pt, pl, pb, pr, oh, ow, counts, x, y);
});

/** A reduction over all pixels, by its number. */
const global =
  (op: number): Lower =>
  ({ inputs: [x], outputs: [y], fn }) => {
    if (!x || !y) return undefined;
    const [images = 0, ...dims] = x.shape;
    const [n, c] = [elements(dims.slice(0, -1)), dims.at(-1) as number];
    return () => fn.f32_reduce(op, images, n, c, x.address, y.address);
  };

export const GlobalAveragePool = global(1);
export const GlobalMaxPool = global(2);

/** Each image's channels in groups. */
const normalize =
  (groupsOf: (call: Call, channels: number) => number): Lower =>
  (call) => {
    const [[x, scale, bias], [y]] = [call.inputs, call.outputs];
    const { node, fn, work } = call;
    if (!x || !scale || !bias || !y || scale.dtype !== "float32" || bias.dtype !== "float32") return undefined;
    const [images = 0, ...dims] = x.shape;
    const c = dims.at(-1) as number;
    const [n, groups] = [elements(dims.slice(0, -1)), groupsOf(call, c)];
    const epsilon = typeof node.attributes.epsilon === "number" ? node.attributes.epsilon : 1e-5;
    if (elements(scale.shape) !== c || elements(bias.shape) !== c || !(groups >= 1) || c % groups !== 0) return undefined;
    return () => {
      for (let i = 0; i < images; i++) {
        const at = i * n * c * 4;
        fn.f32_group_norm(n, c, groups, x.address + at, y.address + at, scale.address, bias.address, epsilon, work);
      }
    };
  };

export const InstanceNormalization = normalize((_call, channels) => channels);
export const GroupNormalization = normalize(({ node }) => int(node, "num_groups", 0));

/** Two axes, each with a list of places in the input and weights. */
export const Resize: Lower = ({ node, opset, inputs: [x, ...rest], outputs: [y], fn, table }) => {
  if (!x || !y || rest.some((input) => input && !input.constant)) return undefined;
  const [images = 0, ...dims] = x.shape;
  const c = dims.at(-1) as number;
  const taps = tapsOfResize(
    node,
    [images, c, ...dims.slice(0, -1)],
    rest.map((input) => input?.constant),
    opset,
  );
  if (!taps || taps[0] || taps[1]) return undefined;
  const plane = dims.length === 2 ? [1, dims[0] as number] : dims.slice(0, 2);
  const along = dims.length === 2 ? [undefined, taps[2]] : taps.slice(2);
  const same = (size: number) => Array.from({ length: size }, (_, i) => ({ indices: [i], weights: [1] }));
  const [rows, columns] = plane.map((size, i) => along[i] ?? same(size)) as [ReturnType<typeof same>, ReturnType<typeof same>];
  const [oh, ow] = [rows.length, columns.length];
  const pixel = c * (BITS[x.dtype] / 8);
  const [size_x, size_y] = [elements(plane) * pixel, oh * ow * pixel];
  const wd = plane[1] as number;
  const indices = (list: typeof rows, width: number) =>
    Int32Array.from({ length: list.length * width }, (_, i) => at(list, i, width, "indices"));
  const weights = (list: typeof rows, width: number) =>
    Float32Array.from({ length: list.length * width }, (_, i) => at(list, i, width, "weights"));
  const [wide, high] = [columns, rows].map((list) => Math.max(1, ...list.map((each) => each.indices.length))) as Pair;
  const [row_at, column_at] = [table(indices(rows, high)), table(indices(columns, wide))];
  const isNearest = high === 1 && wide === 1;
  if (!isNearest && x.dtype !== "float32") return undefined;
  const [row_weights, column_weights] = isNearest ? [0, 0] : [table(weights(rows, high)), table(weights(columns, wide))];
  return () => {
    for (let i = 0; i < images; i++) {
      const [from, to] = [x.address + i * size_x, y.address + i * size_y];
      if (isNearest) fn.resize_nearest(wd, pixel, oh, ow, from, to, row_at, column_at);
      else fn.f32_resize(wd, c, oh, ow, high, wide, from, to, row_at, row_weights, column_at, column_weights);
    }
  };
};

/** Places with fewer taps than others have zeros for the rest. */
function at(
  list: readonly { indices: readonly number[]; weights: readonly number[] }[],
  i: number,
  width: number,
  what: "indices" | "weights",
): number {
  const taps = list[Math.floor(i / width)] as (typeof list)[number];
  return taps[what][i % width] ?? (what === "weights" ? 0 : (taps.indices[0] as number));
}

export const Upsample = Resize;
