/** PP-LCNet x1.0 with 26 sigmoids: what a person wears and carries (PaddleClas' PULC, PP-HumanV2's attribute model). */
import { floats, type Generate, generator } from "./model.ts";
import { gemm } from "./operators.ts";
import * as p from "./paddle.ts";
import { type Feature, Network, type PaddleOptions } from "./paddle.ts";
import { float32 } from "./trace.ts";

export interface LcnetOptions extends PaddleOptions {
  /** In pixels. */
  height?: number;
  width?: number;
  /** Of all channels, rounded to multiples of 8. */
  multiplier?: number;
}

const ATTRIBUTES = 26;
const WIDE = 1280;
const act = "hard_swish";

/** [kernel, channels, stride, whether channels are weighed]. */
const LAYERS: readonly (readonly [number, number, number, boolean])[] = [
  [3, 32, 1, false],
  [3, 64, 2, false],
  [3, 64, 1, false],
  [3, 128, 2, false],
  [3, 128, 1, false],
  [3, 256, 2, false],
  ...Array.from({ length: 5 }, () => [5, 256, 1, false] as const),
  [5, 512, 2, true],
  [5, 512, 1, true],
];

/** A gate for each channel: two 1×1 convolutions on the mean. */
function squeezeExcite(t: Network, x: Feature, name: string): Feature {
  const less = p.activate(t, p.conv(t, p.pooled(t, x), `${name}.conv1`, x.channels / 4), "relu");
  return p.gated(t, x, p.activate(t, p.conv(t, less, `${name}.conv2`, x.channels), "hard_sigmoid"));
}

/** image[N, 3, 256, 192] → attributes[N, 26], each in (0, 1). */
export function lcnet(options: LcnetOptions = {}): Generate {
  const { height = 256, width = 192, multiplier = 1, batch = 1 } = options;
  const channelsOf = (each: number) => Math.max(8, Math.round((each * multiplier) / 8) * 8);
  return generator("pp-lcnet", "PP-LCNet: depthwise and 1×1 in turn, hard swish, 26 attributes", (opset) => {
    const t = new Network(opset, options);
    let x = p.convNorm(t, p.image(t, "image", height, width), "conv1", channelsOf(16), { kernel: 3, stride: 2, act });
    for (const [i, [kernel, channels, stride, weighed]] of LAYERS.entries()) {
      const deep = p.convNorm(t, x, `blocks.${i}.dw_conv`, x.channels, { kernel, stride, group: x.channels, act });
      const seen = weighed ? squeezeExcite(t, deep, `blocks.${i}.se`) : deep;
      x = p.convNorm(t, seen, `blocks.${i}.pw_conv`, channelsOf(channels), { act });
    }
    const wide = p.activate(t, p.conv(t, p.pooled(t, x), "last_conv", WIDE, { bias: false }), act);
    const logits = gemm(t, t.op("Flatten", [wide.name], { axis: 1 }), "fc", WIDE, ATTRIBUTES);
    const attributes = float32("attributes", [batch, ATTRIBUTES]);
    const graph = t.graph([float32("image", [batch, 3, height, width])], [[t.op("Sigmoid", [logits]), attributes]]);
    return { graph, inputs: { image: floats([typeof batch === "number" ? batch : 1, 3, height, width], 5) } };
  });
}
