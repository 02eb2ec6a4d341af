/** Classifiers that shuffle channels: ShuffleNet v1 of grouped convolutions, and v2 of halves. */
import { averagePool, classify, concat, convNorm, imageModel, maxPool, relu } from "./layers.ts";
import type { Generate } from "./model.ts";
import { reshape, size, slice, split, transpose, unsqueeze } from "./operators.ts";
import type { Trace } from "./trace.ts";

/** [N, channels, side, side] under a name. */
interface Feature {
  name: string;
  channels: number;
  side: number;
}

/** How shapes are given: as constants, or read from the value, as a trace of any image size does. */
type Shapes = "constant" | "computed";

/** Channels of `groups` groups in turn. */
function shuffled(t: Trace, { name, channels, side }: Feature, groups: number, shapes: Shapes): string {
  if (shapes === "constant") {
    const turned = transpose(t, reshape(t, name, -1, groups, channels / groups, side, side), 0, 2, 1, 3, 4);
    return reshape(t, turned, -1, channels, side, side);
  }
  const [batch, all, height, width] = [0, 1, 2, 3].map((axis) => size(t, name, axis)) as [string, string, string, string];
  const turned = transpose(t, reshape(t, name, batch, groups, t.op("Div", [all, t.ints(groups)]), height, width), 0, 2, 1, 3, 4);
  return reshape(t, turned, batch, -1, height, width);
}

/** The halves of the channels: by Split, or by two Slices to a middle that is computed, as `chunk` on an unknown size is exported. */
function halves(t: Trace, { name, channels }: Feature, shapes: Shapes): [string, string] {
  if (shapes === "constant") return split(t, name, [channels / 2, channels / 2], 1) as [string, string];
  const more = t.op("Add", [unsqueeze(t, size(t, name, 1), 0), t.ints([1])]);
  const middle = t.op("Div", [more, t.ints([2])]);
  const end = t.op("Mul", [middle, t.ints([2])]);
  return [slice(t, name, 1, 0, middle), slice(t, name, 1, middle, end)];
}

/** Half the channels pass by; all go through two branches where the image becomes smaller. */
function unitV2(t: Trace, x: Feature, channels: number, stride: number, shapes: Shapes): Feature {
  const half = channels / 2;
  const side = x.side / stride;
  const branch = (from: string, cin: number): string => {
    const narrow = convNorm(t, from, "branch2.0", cin, half, { kernel: 1 });
    const deep = convNorm(t, narrow, "branch2.1", half, half, { stride, group: half, act: false });
    return convNorm(t, deep, "branch2.2", half, half, { kernel: 1 });
  };
  const joined = (left: string, right: string): Feature => ({ name: concat(t, 1, left, right), channels, side });
  if (stride === 1) {
    const [left, right] = halves(t, x, shapes);
    const both = joined(left, branch(right, half));
    return { ...both, name: shuffled(t, both, 2, shapes) };
  }
  const deep = convNorm(t, x.name, "branch1.0", x.channels, x.channels, { stride, group: x.channels, act: false });
  const both = joined(convNorm(t, deep, "branch1.1", x.channels, half, { kernel: 1 }), branch(x.name, x.channels));
  return { ...both, name: shuffled(t, both, 2, shapes) };
}

const GROUPS = 3;

/** 1×1 of three groups, shuffle, depthwise, 1×1 of three groups; a mean of the input is joined where the image becomes smaller. */
function unitV1(t: Trace, x: Feature, channels: number, stride: number, shapes: Shapes): Feature {
  const made = stride === 1 ? channels : channels - x.channels;
  const narrow = convNorm(t, x.name, "conv1", x.channels, channels / 2, { kernel: 1, group: GROUPS });
  const mixed = shuffled(t, { ...x, name: narrow, channels: channels / 2 }, GROUPS, shapes);
  const deep = convNorm(t, mixed, "conv2", channels / 2, channels / 2, { stride, group: channels / 2, act: false });
  const out = convNorm(t, deep, "conv3", channels / 2, made, { kernel: 1, group: GROUPS, act: false });
  const name = stride === 1 ? t.op("Add", [x.name, out]) : concat(t, 1, averagePool(t, x.name, 3, 2, 1), out);
  return { name: relu(t, name), channels, side: x.side / stride };
}

const shufflenet = (name: string, note: string, unit: typeof unitV2, shapes: Shapes): Generate =>
  imageModel(
    name,
    note,
    (t, x) => {
      let feature: Feature = { name: maxPool(t, convNorm(t, x, "conv1", 3, 24, { stride: 2 }), 3, 2, 1), channels: 24, side: 12 };
      for (const [i, [channels, stride]] of (
        [
          [48, 2],
          [48, 1],
          [48, 1],
          [60, 2],
          [60, 1],
        ] as const
      ).entries())
        feature = t.in(`stage.${i}`, () => unit(t, feature, channels, stride, shapes));
      return classify(t, convNorm(t, feature.name, "conv5", 60, 64, { kernel: 1 }), "fc", 64);
    },
    { side: 48 },
  );

export const shufflenets: readonly Generate[] = [
  shufflenet(
    "shufflenet-v1",
    "ShuffleNet: grouped 1×1 of three groups, shuffled by constant Reshapes; Concat with AveragePool",
    unitV1,
    "constant",
  ),
  shufflenet("shufflenet-v2", "ShuffleNet v2: Split halves, Concat, shuffle by constant Reshapes", unitV2, "constant"),
  shufflenet("shufflenet-v2-sizes", "ShuffleNet v2: halves and shuffles by shapes that the graph computes", unitV2, "computed"),
];
