/** Operators that resample, crop and detect. */
import { elements } from "../tensor.ts";
import { ofKnown } from "./compute.ts";
import { computed, unknownDims } from "./dims.ts";
import { arrayFor, isBig, numbersOf, tensorOf } from "./elements.ts";
import { axesOf, type Context, numbers, type Op, text } from "./op.ts";
import { constantValue, type Dims, elementsOf, floatsOf, integersOf } from "./value.ts";

/** Dimensions times scales, rounded down. */
const scaled = (shape: Dims, scales: readonly number[], context: Context): Dims | undefined => {
  const dims = shape.map((d, i) => {
    const scale = scales[i] ?? 1;
    return scale === 1 ? d : computed(`scaled/${scale}`, [d], context, (size) => Math.floor(Math.fround(size) * Math.fround(scale)));
  });
  return dims.includes(undefined) ? undefined : (dims as Dims);
};

/** Scales are an attribute up to opset 8. */
export const Upsample: Op = {
  infer(node, [x, list], context) {
    const scales = list ? floatsOf(list) : numbers(node, "scales");
    if (!x?.shape || scales?.length !== x.shape.length)
      return [{ dtype: x?.dtype, shape: x?.shape && unknownDims(x.shape.length, context) }];
    return [{ dtype: x.dtype, shape: scaled(x.shape, scales, context) }];
  },
};

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
};

/** x[N, C, …] at grid[N, …, 2 or 3]. */
export const GridSample: Op = {
  infer(_node, [x, grid], context) {
    const dims = grid?.shape?.slice(1, -1) ?? (x?.shape && unknownDims(x.shape.length - 2, context));
    return [{ dtype: x?.dtype, shape: dims && [x?.shape?.[0] ?? context.symbol(), x?.shape?.[1] ?? context.symbol(), ...dims] }];
  },
};

/** theta[N, …] and size [N, C, …] → [N, …, 2 or 3]. */
export const AffineGrid: Op = {
  infer(_node, [theta, size], context) {
    const dims = elementsOf(size)?.map((d) => d ?? context.symbol());
    return [{ dtype: theta?.dtype, shape: dims && [dims[0] ?? context.symbol(), ...dims.slice(2), dims.length - 2] }];
  },
};

/** x[N, C · product(block), L] → [N, C, image]. */
export const Col2Im: Op = {
  infer(_node, [x, image, block], context) {
    const dims = elementsOf(image)?.map((d) => d ?? context.symbol());
    const area = integersOf(block)?.reduce((n, d) => n * d, 1);
    const channels = x?.shape?.[1];
    const c = typeof channels === "number" && area && channels % area === 0 ? channels / area : context.symbol();
    return [{ dtype: x?.dtype, shape: dims && [x?.shape?.[0] ?? context.symbol(), c, ...dims] }];
  },
  /** Blocks that overlap are added. */
  compute: ofKnown((node, [x, , block], { outputs: [y] }) => {
    const [from, sizes] = [x && numbersOf(x), block && integersOf(constantValue(block))];
    const image = y?.shape.slice(2) ?? [];
    const data = y && arrayFor(y.dtype, elements(y.shape));
    if (!from || !sizes || !y || !data || isBig(data) || sizes.length !== image.length) return undefined;
    const [moves, dilations, pads] = ["strides", "dilations", "pads"].map((name) => numbers(node, name));
    const windows = image.map((d, i) => {
      const room = d + (pads?.[i] ?? 0) + (pads?.[i + image.length] ?? 0) - (dilations?.[i] ?? 1) * ((sizes[i] as number) - 1) - 1;
      return Math.floor(room / (moves?.[i] ?? 1)) + 1;
    });
    if (x?.shape[2] !== elements(windows) || elements(x.shape) !== from.length) return undefined;
    // Place in the image of each element of each block, −1 where that is padding.
    let places = Int32Array.of(0);
    image.forEach((d, i) => {
      const [size, count] = [sizes[i] as number, windows[i] as number];
      const [outer, inner] = [elements(sizes.slice(0, i)), elements(windows.slice(0, i))];
      const next = new Int32Array(places.length * size * count);
      for (let n = 0; n < next.length; n++) {
        const [l, w, k] = [n % count, Math.floor(n / count) % inner, Math.floor(n / count / inner) % size];
        const old = places[(Math.floor(n / count / inner / size) % outer) * inner + w] as number;
        const at = l * (moves?.[i] ?? 1) - (pads?.[i] ?? 0) + k * (dilations?.[i] ?? 1);
        next[n] = old < 0 || at < 0 || at >= d ? -1 : old * d + at;
      }
      places = next;
    });
    const area = elements(image);
    for (let i = 0; i < from.length; i++) {
      const at = places[i % places.length] as number;
      const to = Math.floor(i / places.length) * area + at;
      if (at >= 0) data[to] = (data[to] as number) + (from[i] as number);
    }
    return [tensorOf(y.dtype, y.shape, data)];
  }),
};

/** [selected, (batch, class, box)]. */
export const NonMaxSuppression: Op = { infer: (_node, _inputs, context) => [{ dtype: "int64", shape: [context.symbol(), 3] }] };

export const ImageDecoder: Op = {
  infer: (node, _inputs, context) => [
    { dtype: "uint8", shape: [context.symbol(), context.symbol(), text(node, "pixel_format", "RGB") === "Grayscale" ? 1 : 3] },
  ],
};

/** Losses: a number, or one for each place of labels[N, …] with `reduction` none. */
const loss: Op = {
  infer(node, [scores, labels]) {
    const shape = text(node, "reduction", "mean") === "none" ? labels?.shape : [];
    return [
      { dtype: scores?.dtype, shape },
      { dtype: scores?.dtype, shape: scores?.shape },
    ];
  },
};

export const NegativeLogLikelihoodLoss = loss;
export const SoftmaxCrossEntropyLoss = loss;
