/** Boxes of detectors. */
import type { Tensor } from "../tensor.ts";
import { ofTensors } from "./compute.ts";
import { numbersOf } from "./elements.ts";
import { int, type Op } from "./op.ts";

/** Two corners, the lower first. */
type Box = readonly [y1: number, x1: number, y2: number, x2: number];

/** The one number of an input. */
const numberOf = (x: Tensor | undefined, otherwise: number): number => (x && x.data.length > 0 ? Number(x.data[0]) : otherwise);

const area = ([y1, x1, y2, x2]: Box): number => (y2 - y1) * (x2 - x1);

/** Whether two boxes share more than a part of what they cover together. */
function overlap(a: Box, b: Box, threshold: number): boolean {
  const shared: Box = [Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])];
  if (!(shared[2] > shared[0] && shared[3] > shared[1])) return false;
  const both = area(a) + area(b) - area(shared);
  return area(a) > 0 && area(b) > 0 && both > 0 && area(shared) / both > threshold;
}

/** boxes[batch, count, 4] and scores[batch, classes, count] → [selected, (batch, class, box)]. */
export const NonMaxSuppression: Op = {
  infer: (_node, _inputs, context) => [{ dtype: "int64", shape: [context.symbol(), 3] }],
  compute: ofTensors((node, [boxes, scores, most, iou, least]) => {
    const [corners, rates] = [boxes && numbersOf(boxes), scores && numbersOf(scores)];
    const [batch = 0, classes = 0, count = 0] = scores?.shape ?? [];
    if (!corners || !rates || scores?.shape.length !== 3 || boxes?.shape.join() !== [batch, count, 4].join()) return undefined;
    const [limit, threshold, lowest] = [numberOf(most, 0), numberOf(iou, 0), numberOf(least, Number.NEGATIVE_INFINITY)];
    const isCenter = int(node, "center_point_box", 0) !== 0;
    const boxAt = (i: number): Box => {
      const [a, b, c, d] = corners.subarray(i * 4, i * 4 + 4) as unknown as [number, number, number, number];
      if (isCenter) return [b - d / 2, a - c / 2, b + d / 2, a + c / 2];
      return [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
    };
    const selected: bigint[] = [];
    for (let line = 0; line < batch * classes; line++) {
      const [image, rate] = [Math.floor(line / classes), (i: number) => rates[line * count + i] as number];
      const candidates = Array.from({ length: count }, (_, i) => i).filter((i) => !least || rate(i) > lowest);
      candidates.sort((i, k) => rate(k) - rate(i) || i - k);
      const kept: Box[] = [];
      for (const i of candidates) {
        if (kept.length >= limit) break;
        const box = boxAt(image * count + i);
        if (kept.some((other) => overlap(box, other, threshold))) continue;
        kept.push(box);
        selected.push(BigInt(image), BigInt(line % classes), BigInt(i));
      }
    }
    return [{ dtype: "int64", shape: [selected.length / 3, 3], data: BigInt64Array.from(selected) }];
  }),
};
