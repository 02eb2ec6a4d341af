/** Operators that cut, join and read images. */
import { elements } from "../tensor.ts";
import { ofKnown } from "./compute.ts";

import { arrayFor, isBig, numbersOf, tensorOf } from "./elements.ts";
import { numbers, type Op, text } from "./op.ts";
import { constantValue, elementsOf, integersOf } from "./value.ts";

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

export const ImageDecoder: Op = {
  infer: (node, _inputs, context) => [
    { dtype: "uint8", shape: [context.symbol(), context.symbol(), text(node, "pixel_format", "RGB") === "Grayscale" ? 1 : 3] },
  ],
};
