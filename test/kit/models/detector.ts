/** A detector of objects in the manner of YOLOv8, its batch normalizations folded: boxes of all cells, nothing selected yet. */
import { concat, imageModel, maxPool } from "./layers.ts";
import { conv, reshape, silu, split, upsample } from "./operators.ts";
import type { Trace } from "./trace.ts";
import { BINS, boxes, CELLS, CLASSES } from "./yolo.ts";

/** Keeps the mean square of what silu has made small. */
const GAIN = 1.6;

const layer = (t: Trace, x: string, name: string, cin: number, cout: number, k = 3, stride = 1): string =>
  silu(t, conv(t, x, name, cin, cout, { kernel: [k, k], stride, gain: GAIN }));

/** One half passes by, the other through two blocks; all that is made on the way is joined. */
function c2f(t: Trace, x: string, name: string, cin: number, cout: number, added: boolean): string {
  const half = cout / 2;
  return t.in(name, () => {
    const parts = [...split(t, layer(t, x, `${name}.cv1`, cin, cout, 1), [half, half], 1)];
    for (const i of [0, 1]) {
      const last = parts.at(-1) as string;
      const made = layer(t, layer(t, last, `${name}.m.${i}.cv1`, half, half), `${name}.m.${i}.cv2`, half, half);
      parts.push(added ? t.op("Add", [last, made]) : made);
    }
    return layer(t, concat(t, 1, ...parts), `${name}.cv2`, 4 * half, cout, 1);
  });
}

/** The greatest of 1, 5², 9² and 13² around, one MaxPool on the other. */
function sppf(t: Trace, x: string, name: string, channels: number): string {
  const parts = [layer(t, x, `${name}.cv1`, channels, channels / 2, 1)];
  for (let i = 0; i < 3; i++) parts.push(maxPool(t, parts.at(-1) as string, 5, 1, 2));
  return layer(t, concat(t, 1, ...parts), `${name}.cv2`, 2 * channels, channels, 1);
}

/** A level's boxes as distributions and its classes, each by a branch of its own: [1, 4 · BINS + CLASSES, cells]. */
function head(t: Trace, x: string, channels: number, level: number): string {
  const branch = (name: string, width: number, out: number) => {
    const deep = layer(t, layer(t, x, `${name}.0`, channels, width), `${name}.1`, width, width);
    return conv(t, deep, `${name}.2`, width, out, { kernel: [1, 1], gain: 0.5 });
  };
  const both = concat(t, 1, branch(`model.22.cv2.${level}`, 16, 4 * BINS), branch(`model.22.cv3.${level}`, 24, CLASSES));
  return reshape(t, both, 1, 4 * BINS + CLASSES, -1);
}

export const detector = imageModel(
  "detector",
  "YOLOv8: C2f by Split and Concat, SPPF, a neck up and down, two branches at two scales, boxes by a fixed 1×1 convolution",
  (t, x) => {
    const fine = c2f(t, layer(t, layer(t, x, "model.0", 3, 16, 3, 2), "model.1", 16, 24, 3, 2), "model.2", 24, 24, true);
    const coarse = sppf(t, c2f(t, layer(t, fine, "model.3", 24, 32, 3, 2), "model.4", 32, 32, true), "model.9", 32);
    const up = c2f(t, concat(t, 1, upsample(t, coarse), fine), "model.12", 56, 24, false);
    const down = c2f(t, concat(t, 1, layer(t, up, "model.16", 24, 24, 3, 2), coarse), "model.18", 56, 32, false);
    const all = concat(t, 2, head(t, up, 24, 0), head(t, down, 32, 1));
    const [distribution, classes] = split(t, all, [4 * BINS, CLASSES], 1) as [string, string];
    return concat(t, 1, boxes(t, distribution), t.op("Sigmoid", [classes]));
  },
  { batch: 1, dims: [4 + CLASSES, CELLS] },
);
