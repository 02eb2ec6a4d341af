/**
 * PP-YOLOE+, the detector: CSPResNet, CustomCSPPAN and PPYOLOEHead of PaddleDetection (`configs/ppyoloe/_base_/ppyoloe_plus_crn.yml`) with
 * their layers' names, as they are deployed: RepVGG's branches fused, boxes as distances to the sides, nothing selected yet.
 */
import { floats, type Generate, generator } from "./model.ts";
import { reshape, squeeze, transpose } from "./operators.ts";
import * as p from "./paddle.ts";
import { type Feature, Network, type PaddleOptions } from "./paddle.ts";
import { float32 } from "./trace.ts";

/** [depth, width] multipliers. */
const SIZES = { s: [0.33, 0.5], m: [0.67, 0.75], l: [1, 1], x: [1.33, 1.25] } as const;

export interface PPYoloeOptions extends PaddleOptions {
  size?: keyof typeof SIZES;
  /** Height and width in pixels, a multiple of 32. */
  image?: number;
  /** Multipliers other than the size's. */
  depth?: number;
  width?: number;
}

const CLASSES = 80;
/** Bins of a distance. */
const BINS = 17;
const act = "swish";

function basicBlock(t: Network, x: Feature, name: string): Feature {
  return p.repVgg(t, p.convNorm(t, x, `${name}.conv1`, x.channels, { kernel: 3, act }), `${name}.conv2`, act);
}

/** Effective squeeze and excitation: a gate for each channel from the mean of all. */
function attention(t: Network, x: Feature, name: string): Feature {
  return p.gated(t, x, p.activate(t, p.conv(t, p.pooled(t, x, true), `${name}.fc`, x.channels), "hard_sigmoid"));
}

/** Half as high and wide. */
function resStage(t: Network, x: Feature, name: string, channels: number, blocks: number): Feature {
  const middle = Math.floor((x.channels + channels) / 2);
  const down = p.convNorm(t, x, `${name}.conv_down`, middle, { kernel: 3, stride: 2, act });
  const left = p.convNorm(t, down, `${name}.conv1`, middle >> 1, { act });
  let right = p.convNorm(t, down, `${name}.conv2`, middle >> 1, { act });
  for (let i = 0; i < blocks; i++) right = p.add(t, right, basicBlock(t, right, `${name}.blocks.${i}`));
  return p.convNorm(t, attention(t, p.concat(t, left, right), `${name}.attn`), `${name}.conv3`, channels, { act });
}

/** Features of strides 8, 16 and 32. */
function backbone(t: Network, image: Feature, depth: number, width: number): Feature[] {
  const [stem = 0, ...channels] = [64, 128, 256, 512, 1024].map((each) => Math.round(each * width));
  let x = p.convNorm(t, image, "backbone.stem.conv1", stem >> 1, { kernel: 3, stride: 2, act });
  x = p.convNorm(t, x, "backbone.stem.conv2", stem >> 1, { kernel: 3, act });
  x = p.convNorm(t, x, "backbone.stem.conv3", stem, { kernel: 3, act });
  const stages = [3, 6, 6, 3].map((blocks, i) => {
    x = resStage(t, x, `backbone.stages.${i}`, channels[i] as number, Math.max(1, Math.round(blocks * depth)));
    return x;
  });
  return stages.slice(1);
}

/** The greatest of 1, 5², 9² and 13² around, side by side. */
function pyramid(t: Network, x: Feature, name: string): Feature {
  const pools = [5, 9, 13].map((size) => p.maxPooled(t, x, size));
  return p.convNorm(t, p.concat(t, x, ...pools), `${name}.conv`, x.channels, { act });
}

function cspStage(t: Network, x: Feature, name: string, channels: number, blocks: number, spp: boolean): Feature {
  const middle = channels >> 1;
  const left = p.convNorm(t, x, `${name}.conv1`, middle, { act });
  let right = p.convNorm(t, x, `${name}.conv2`, middle, { act });
  for (let i = 0; i < blocks; i++) {
    right = basicBlock(t, right, `${name}.convs.${i}`);
    if (spp && i === (blocks - 1) >> 1) right = pyramid(t, right, `${name}.convs.spp`);
  }
  return p.convNorm(t, p.concat(t, left, right), `${name}.conv3`, channels, { act });
}

/** Features of strides 32, 16 and 8. */
function neck(t: Network, features: readonly Feature[], depth: number, width: number): Feature[] {
  const channels = [768, 384, 192].map((each) => Math.round(each * width));
  const blocks = Math.max(1, Math.round(3 * depth));
  const fpn: Feature[] = [];
  for (const [i, feature] of features.toReversed().entries()) {
    const above = fpn.at(-1);
    const narrow = above && p.convNorm(t, above, `neck.fpn_routes.${i - 1}`, above.channels >> 1, { act });
    const x = narrow ? p.concat(t, p.resize(t, narrow, feature, "nearest"), feature) : feature;
    fpn.push(cspStage(t, x, `neck.fpn_stages.${i}.0`, channels[i] as number, blocks, i === 0));
  }
  let route = fpn.at(-1) as Feature;
  const pan = [route];
  for (let i = fpn.length - 2; i >= 0; i--) {
    const down = p.convNorm(t, route, `neck.pan_routes.${i}`, route.channels, { kernel: 3, stride: 2, act });
    route = cspStage(t, p.concat(t, down, fpn[i] as Feature), `neck.pan_stages.${i}.0`, channels[i] as number, blocks, false);
    pan.unshift(route);
  }
  return pan;
}

/** A feature weighed by a gate for each channel. */
function stem(t: Network, x: Feature, mean: Feature, name: string): Feature {
  const gate = p.activate(t, p.conv(t, mean, `${name}.fc`, x.channels, { gain: 0.5 }), "sigmoid");
  return p.convNorm(t, p.gated(t, x, gate), `${name}.conv`, x.channels, { act });
}

/** Scores [N, 80, cells] and distances [N, cells, 4] of one level. */
function level(t: Network, x: Feature, i: number): { scores: string; distances: string } {
  const cells = x.height * x.width;
  const mean = p.pooled(t, x);
  // A score starts at 1 %.
  const cls = p.conv(t, p.add(t, stem(t, x, mean, `yolo_head.stem_cls.${i}`), x), `yolo_head.pred_cls.${i}`, CLASSES, {
    kernel: 3,
    bias: Math.log(0.01 / 0.99),
  });
  const reg = p.conv(t, stem(t, x, mean, `yolo_head.stem_reg.${i}`), `yolo_head.pred_reg.${i}`, 4 * BINS, { kernel: 3, bias: 1 });
  const bins = transpose(t, reshape(t, reg.name, -1, 4, BINS, cells), 0, 2, 3, 1);
  const projection = Float32Array.from({ length: BINS }, (_, bin) => bin);
  const weights = t.floats("yolo_head.proj_conv.weight", [1, BINS, 1, 1], projection);
  const expected = t.op("Conv", [t.op("Softmax", [bins], { axis: 1 }), weights], { kernel_shape: [1, 1] });
  return { scores: reshape(t, t.op("Sigmoid", [cls.name]), -1, CLASSES, cells), distances: squeeze(t, expected, 1) };
}

/** image[N, 3, S, S] → scores[N, 80, cells] and distances[N, cells, 4] in units of a cell's stride; cells = 21 · (S / 32)². Opset 13 or more. */
export function ppyoloe(options: PPYoloeOptions = {}): Generate {
  const { size = "l", image = 640, batch = 1 } = options;
  const [depth, width] = [options.depth ?? SIZES[size][0], options.width ?? SIZES[size][1]];
  if (image % 32 !== 0) throw new RangeError(`Cannot make PP-YOLOE+ for images of ${image}: expected a multiple of 32`);
  return generator(`ppyoloe-plus-${size}`, "PP-YOLOE+: CSPResNet, CustomCSPPAN, scores and distances", (opset) => {
    // Softmax has one axis from then on.
    if (opset < 13) throw new RangeError(`Cannot write PP-YOLOE+ at opset ${opset}: expected 13 or more`);
    const t = new Network(opset, options);
    const features = neck(t, backbone(t, p.image(t, "image", image, image), depth, width), depth, width);
    const levels = features.map((feature, i) => level(t, feature, i));
    const cells = features.reduce((sum, { height, width }) => sum + height * width, 0);
    const joined = (of: "scores" | "distances", axis: number) =>
      t.op(
        "Concat",
        levels.map((each) => each[of]),
        { axis },
      );
    const graph = t.graph(
      [float32("image", [batch, 3, image, image])],
      [
        [joined("scores", 2), float32("scores", [batch, CLASSES, cells])],
        [joined("distances", 1), float32("distances", [batch, cells, 4])],
      ],
    );
    return { graph, inputs: { image: floats([typeof batch === "number" ? batch : 1, 3, image, image], 5) } };
  });
}
