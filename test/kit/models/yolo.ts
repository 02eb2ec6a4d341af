/** A detector of objects as Ultralytics exports it. */
import { floats, generator } from "./model.ts";
import { conv, reduce, reshape, silu, slice, softmax, split, transpose, upsample } from "./operators.ts";
import { float32, Trace } from "./trace.ts";

/** Padding of half a kernel around a stack of MaxPools. */
const pooled = (t: Trace, x: string): string => t.op("MaxPool", [x], { kernel_shape: [5, 5], pads: [2, 2, 2, 2], strides: [1, 1] });

export const CLASSES = 6;
export const BINS = 16;
/** Cells of the two grids, of 8 × 8 and 4 × 4. */
export const CELLS = 80;

/** A level's boxes as distributions and its classes, [batch, 4 · 16 + 6, cells]. */
function head(t: Trace, x: string, channels: number, level: number): string {
  const box = conv(t, silu(t, conv(t, x, `cv2.${level}.0`, channels, 16, { kernel: [3, 3], gain: 2 })), `cv2.${level}.2`, 16, 4 * BINS, {
    kernel: [1, 1],
  });
  const cls = conv(t, silu(t, conv(t, x, `cv3.${level}.0`, channels, 16, { kernel: [3, 3], gain: 2 })), `cv3.${level}.2`, 16, CLASSES, {
    kernel: [1, 1],
  });
  return reshape(t, t.op("Concat", [box, cls], { axis: 1 }), 1, 4 * BINS + CLASSES, -1);
}

/** Distributions of the distances to the four sides, [1, 4 · 16, 80] → centre and size in pixels, [1, 4, 80]. */
export function boxes(t: Trace, distribution: string): string {
  const bins = softmax(t, transpose(t, reshape(t, distribution, 1, 4, BINS, CELLS), 0, 3, 1, 2), 4);
  const projected = t.op(
    "Conv",
    [
      transpose(t, bins, 0, 3, 2, 1),
      t.tensor(
        "dfl.conv.weight",
        1,
        [1, BINS, 1, 1],
        Float32Array.from({ length: BINS }, (_, i) => i),
      ),
    ],
    { kernel_shape: [1, 1] },
  );
  const [low, high] = [0, 2].map((at) => slice(t, reshape(t, projected, 1, 4, CELLS), 1, at, at + 2)) as [string, string];
  const grid = (side: number) => Array.from({ length: side * side }, (_, i) => [(i % side) + 0.5, Math.floor(i / side) + 0.5] as const);
  const points = [...grid(8), ...grid(4)];
  const anchors = t.tensor(
    "anchors",
    1,
    [1, 2, CELLS],
    Float32Array.from([0, 1].flatMap((i) => points.map((point) => point[i] as number))),
  );
  const strides = t.tensor(
    "strides",
    1,
    [1, CELLS],
    Float32Array.from({ length: CELLS }, (_, i) => (i < 64 ? 4 : 8)),
  );
  const [from, to] = [t.op("Sub", [anchors, low]), t.op("Add", [anchors, high])];
  const centre = t.op("Div", [t.op("Add", [from, to]), t.float(2)]);
  return t.op("Mul", [t.op("Concat", [centre, t.op("Sub", [to, from])], { axis: 1 }), strides]);
}

/** images[1, 3, 32, 32] → output0[1, 4 + 6, 80], and of it the best scores: by TopK, and by NonMaxSuppression where it is there. */
export const yolo = generator(
  "yolo",
  "YOLO: split and joined blocks, pooled pyramid, boxes from distributions, TopK, NonMaxSuppression from opset 11",
  (opset) => {
    const t = new Trace(opset);
    const act = (x: string, name: string, cin: number, cout: number, stride: number, k = 3) =>
      silu(t, conv(t, x, name, cin, cout, { kernel: [k, k], stride, gain: 2 }));
    const stem = act(act("images", "model.0", 3, 8, 2), "model.1", 8, 16, 2);
    const fine = t.in("model.2", () => {
      const [left, right] = split(t, act(stem, "model.2.cv1", 16, 16, 1, 1), [8, 8], 1) as [string, string];
      const inner = t.op("Add", [right, act(act(right, "model.2.m.0", 8, 8, 1), "model.2.m.1", 8, 8, 1)]);
      return act(t.op("Concat", [left, right, inner], { axis: 1 }), "model.2.cv2", 24, 16, 1, 1);
    });
    const coarse = t.in("model.9", () => {
      const x = act(act(fine, "model.3", 16, 24, 2), "model.9.cv1", 24, 12, 1, 1);
      const [one, two] = [pooled(t, x), pooled(t, pooled(t, x))];
      return act(t.op("Concat", [x, one, two], { axis: 1 }), "model.9.cv2", 36, 24, 1, 1);
    });
    const joined = act(t.op("Concat", [upsample(t, coarse), fine], { axis: 1 }), "model.12", 40, 16, 1);
    const all = t.op("Concat", [head(t, joined, 16, 0), head(t, coarse, 24, 1)], { axis: 2 });
    const [distribution, classes] = split(t, all, [4 * BINS, CLASSES], 1) as [string, string];
    const [located, scores] = [boxes(t, distribution), t.op("Sigmoid", [classes])];
    const [best] =
      t.opset < 10
        ? t.ops("TopK", [reduce(t, "ReduceMax", scores, [1], 0)], 2, { axis: -1, k: 5 })
        : t.ops("TopK", [reduce(t, "ReduceMax", scores, [1], 0), t.ints([5])], 2, {
            axis: -1,
            ...(t.opset < 11 ? {} : { largest: 1, sorted: 1 }),
          });
    const outputs: [string, ReturnType<typeof float32>][] = [
      [t.op("Concat", [located, scores], { axis: 1 }), float32("output0", [1, 4 + CLASSES, CELLS])],
      [best as string, float32("best", [1, 5])],
    ];
    if (t.opset >= 11) {
      // Three of each class, whatever they overlap.
      const limits = [t.ints([3]), t.float(1), t.float(0)].map((limit) => reshape(t, limit, -1)) as [string, string, string];
      const selected = t.op("NonMaxSuppression", [transpose(t, located, 0, 2, 1), scores, ...limits], { center_point_box: 1 });
      outputs.push([t.op("GatherND", [scores, selected]), float32("selected", [3 * CLASSES])]);
    }
    return { graph: t.graph([float32("images", [1, 3, 32, 32])], outputs), inputs: { images: floats([1, 3, 32, 32], 5) } };
  },
);
