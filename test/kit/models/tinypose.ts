/** PP-TinyPose, a model of poses: LiteHRNet `wider_naive` of PaddleDetection and one heatmap for each of 17 keypoints. */
import { floats, type Generate, generator } from "./model.ts";
import * as p from "./paddle.ts";
import { type Feature, Network, type PaddleOptions } from "./paddle.ts";
import { float32 } from "./trace.ts";

export interface TinyPoseOptions extends PaddleOptions {
  /** In pixels, multiples of 32. */
  height?: number;
  width?: number;
  /** Of every layer's channels but the stem's. */
  multiplier?: number;
}

const KEYPOINTS = 17;
const STEM = 32;
const CHANNELS = [40, 80, 160, 320];
/** Of the stages, which have two, three and four branches. */
const MODULES = [2, 4, 2];
const UNITS = 2;

const act = "relu";

const depthwise = (t: Network, x: Feature, name: string, stride = 1): Feature =>
  p.convNorm(t, x, name, x.channels, { kernel: 3, stride, group: x.channels });

/** A quarter as high and wide as the image. */
function stem(t: Network, image: Feature): Feature {
  const name = "backbone.stem";
  const [left, right] = p.halves(t, p.convNorm(t, image, `${name}.conv1`, STEM, { kernel: 3, stride: 2, act }));
  const first = p.convNorm(t, depthwise(t, left, `${name}.branch1.0`, 2), `${name}.branch1.1`, STEM / 2, { act });
  const expanded = p.convNorm(t, right, `${name}.expand_conv`, STEM, { act });
  const second = p.convNorm(t, depthwise(t, expanded, `${name}.depthwise_conv`, 2), `${name}.linear_conv`, STEM / 2, { act });
  return p.shuffle(t, p.concat(t, first, second));
}

function shuffleUnit(t: Network, x: Feature, name: string): Feature {
  const [left, right] = p.halves(t, x);
  const channels = right.channels;
  const narrow = p.convNorm(t, right, `${name}.branch2.0`, channels, { act });
  const out = p.convNorm(t, depthwise(t, narrow, `${name}.branch2.1`), `${name}.branch2.2`, channels, { act });
  return p.shuffle(t, p.concat(t, left, out));
}

/** What branch `from` gives to branch `to`: larger by nearest neighbours, or smaller by one step after the other. */
function fused(t: Network, x: Feature, target: Feature, steps: number, name: string): Feature {
  if (steps <= 0) return p.resize(t, p.convNorm(t, x, name, target.channels), target, "nearest");
  let y = x;
  for (let k = 0; k < steps; k++) {
    const last = k === steps - 1;
    const options = last ? {} : ({ act } as const);
    y = p.convNorm(t, depthwise(t, y, `${name}.${k}.0`, 2), `${name}.${k}.1`, last ? target.channels : x.channels, options);
  }
  return y;
}

/**
 * Every branch from all. As in the source, the first sum takes the first branch twice and then stands for it in the others' sums, and what
 * comes of it there is added twice.
 */
function fuse(t: Network, branches: readonly Feature[], name: string): Feature[] {
  const out = [...branches];
  return branches.map((target, i) => {
    const given = (j: number) => (i === j ? (out[j] as Feature) : fused(t, out[j] as Feature, target, i - j, `${name}.${i}.${j}`));
    let y = given(0);
    for (let j = 0; j < branches.length; j++) {
      y = p.add(t, y, given(j));
      if (i === 0) out[0] = y;
    }
    return p.activate(t, y, act);
  });
}

/** One branch more than before, from the last. */
function transition(t: Network, branches: readonly Feature[], channels: readonly number[], name: string): Feature[] {
  return channels.map((wide, i) => {
    const x = branches[i];
    if (x?.channels === wide) return x;
    const from = x ?? (branches.at(-1) as Feature);
    return p.convNorm(t, depthwise(t, from, `${name}.${i}.0`, x ? 1 : 2), `${name}.${i}.1`, wide, { act });
  });
}

/** From the smallest branch up; the largest comes out. */
function iterativeHead(t: Network, branches: readonly Feature[]): Feature {
  let last: Feature | undefined;
  for (const [i, branch] of branches.toReversed().entries()) {
    const x = last ? p.add(t, branch, p.resize(t, last, branch, "linear")) : branch;
    const name = `backbone.head_layer.projects.${i}`;
    const channels = branches.at(-2 - i)?.channels ?? x.channels;
    last = p.convNorm(t, depthwise(t, x, `${name}.depthwise_conv`), `${name}.pointwise_conv`, channels, { act });
  }
  return last as Feature;
}

/** image[N, 3, 256, 192] → heatmaps[N, 17, 64, 48]. */
export function tinypose(options: TinyPoseOptions = {}): Generate {
  const { height = 256, width = 192, multiplier = 1, batch = 1 } = options;
  if (height % 32 !== 0 || width % 32 !== 0)
    throw new RangeError(`Cannot make PP-TinyPose for ${height} × ${width}: expected multiples of 32`);
  return generator("pp-tinypose", "PP-TinyPose: shuffled channels, branches of four sizes that exchange what they see", (opset) => {
    const t = new Network(opset, options);
    const channels = CHANNELS.map((each) => Math.round(each * multiplier));
    let branches = [stem(t, p.image(t, "image", height, width))];
    for (const [stage, modules] of MODULES.entries()) {
      branches = transition(t, branches, channels.slice(0, stage + 2), `backbone.transition${stage}`);
      for (let i = 0; i < modules; i++) {
        const name = `backbone.stage${stage}.${i}`;
        const units = branches.map((x, branch) => {
          let y = x;
          for (let unit = 0; unit < UNITS; unit++) y = shuffleUnit(t, y, `${name}.layers.${branch}.${unit}`);
          return y;
        });
        branches = fuse(t, units, `${name}.fuse_layers`);
      }
    }
    const out = p.conv(t, iterativeHead(t, branches), "head.final_conv", KEYPOINTS);
    const heatmaps = float32("heatmaps", [batch, KEYPOINTS, out.height, out.width]);
    const graph = t.graph([float32("image", [batch, 3, height, width])], [[out.name, heatmaps]]);
    return { graph, inputs: { image: floats([typeof batch === "number" ? batch : 1, 3, height, width], 5) } };
  });
}
