/** Image classifiers for phones, as PyTorch's and TensorFlow's exporters write them. */
import { type Feeds, floats, type Generate, generator } from "./model.ts";
import {
  batchNorm,
  clip,
  conv,
  gemm,
  hardSigmoid,
  hardSwish,
  pad,
  reduce,
  reshape,
  size,
  softmax,
  squeeze,
  transpose,
} from "./operators.ts";
import { float32, Trace } from "./trace.ts";

const image = (size: number, batch = 1): Feeds => ({ input: floats([batch, 3, size, size], 5) });

/** 1×1, depthwise 3×3, 1×1; the input is added where sizes allow. */
function invertedResidual(t: Trace, x: string, cin: number, cout: number, stride: number): string {
  return t.in("conv", () => {
    const wide = cin * 4;
    const expanded = clip(t, conv(t, x, `${t.module}.0.0`, cin, wide, { kernel: [1, 1] }), 0, 6);
    const deep = clip(t, conv(t, expanded, `${t.module}.1.0`, wide, wide, { kernel: [3, 3], stride, group: wide }), 0, 6);
    const out = conv(t, deep, `${t.module}.2`, wide, cout, { kernel: [1, 1] });
    return stride === 1 && cin === cout ? t.op("Add", [x, out]) : out;
  });
}

/** input[batch, 3, 32, 32] → output[batch, 10]. */
export const mobilenet = generator(
  "mobilenet",
  "MobileNetV2 from PyTorch: inverted residuals, depthwise, ReLU6 as Clip, Gemm with transB",
  (opset) => {
    const t = new Trace(opset);
    let x = t.in("features.0", () => clip(t, conv(t, "input", "features.0.0", 3, 8, { kernel: [3, 3], stride: 2 }), 0, 6));
    for (const [i, [cin, cout, stride]] of (
      [
        [8, 8, 1],
        [8, 16, 2],
        [16, 16, 1],
        [16, 24, 2],
      ] as const
    ).entries())
      x = t.in(`features.${i + 1}`, () => invertedResidual(t, x, cin, cout, stride));
    const last = t.in("features.5", () => clip(t, conv(t, x, "features.5.0", 24, 64, { kernel: [1, 1] }), 0, 6));
    const pooled = t.op("Flatten", [t.op("GlobalAveragePool", [last])], { axis: 1 });
    const graph = t.graph(
      [float32("input", ["batch_size", 3, 32, 32])],
      [[t.in("classifier", () => gemm(t, pooled, "classifier.1", 64, 10)), float32("output", ["batch_size", 10])]],
    );
    return { graph, inputs: image(32, 2) };
  },
);

/** input[batch, 32, 32, 3] → probabilities[batch, 10]: channels come last, so that Transposes stand around. */
export const keras = generator(
  "mobilenet-keras",
  "MobileNetV2 from Keras by tf2onnx: Pad, BatchNormalization, Transposes, MatMul head",
  (opset) => {
    const t = new Trace(opset);
    const relu6 = (x: string) => clip(t, x, 0, 6);
    const block = (x: string, name: string, cin: number, cout: number, stride: number): string =>
      t.in(name, () => {
        const wide = cin * 4;
        const one = { kernel: [1, 1], biased: false };
        const expanded = relu6(batchNorm(t, conv(t, x, `${name}/expand`, cin, wide, one), `${name}/expand_BN`, wide, 1e-3));
        // Keras pads below and to the right before it convolves with a stride.
        const padded = stride === 2 ? pad(t, expanded, [0, 0, 0, 0, 0, 0, 1, 1]) : expanded;
        const pads = stride === 2 ? [0, 0, 0, 0] : [1, 1, 1, 1];
        const deep = conv(t, padded, `${name}/depthwise`, wide, wide, { kernel: [3, 3], stride, group: wide, pads, biased: false });
        const normal = relu6(batchNorm(t, deep, `${name}/depthwise_BN`, wide, 1e-3));
        const out = batchNorm(t, conv(t, normal, `${name}/project`, wide, cout, one), `${name}/project_BN`, cout, 1e-3);
        return stride === 1 && cin === cout ? t.op("Add", [x, out]) : out;
      });
    const stem = conv(t, pad(t, transpose(t, "input", 0, 3, 1, 2), [0, 0, 0, 0, 0, 0, 1, 1]), "Conv1", 3, 8, {
      kernel: [3, 3],
      stride: 2,
      pads: [0, 0, 0, 0],
      biased: false,
    });
    let x = relu6(batchNorm(t, stem, "bn_Conv1", 8, 1e-3));
    // Two layers that are not converted together meet in two Transposes.
    x = transpose(t, transpose(t, x, 0, 2, 3, 1), 0, 3, 1, 2);
    for (const [i, [cin, cout, stride]] of (
      [
        [8, 8, 1],
        [8, 16, 2],
        [16, 24, 2],
      ] as const
    ).entries())
      x = block(x, `block_${i}`, cin, cout, stride);
    const rows = squeeze(t, t.op("GlobalAveragePool", [x]), 2, 3);
    const product = t.op("MatMul", [rows, t.weight("predictions/MatMul/ReadVariableOp:0", [24, 60])]);
    const out = softmax(t, t.op("Add", [product, t.weight("predictions/BiasAdd/ReadVariableOp:0", [60], 0.1)]), 2);
    const graph = t.graph([float32("input", ["unk__1", 32, 32, 3])], [[out, float32("probabilities", ["unk__2", 60])]]);
    return { graph, inputs: { input: floats([2, 32, 32, 3], 5) } };
  },
);

/** A weight for each channel from the mean of all: two 1×1 convolutions. */
function squeezeExcite(t: Trace, x: string, channels: number, named: boolean): string {
  return t.in("block.1", () => {
    const mean = named ? t.op("GlobalAveragePool", [x]) : reduce(t, "ReduceMean", x, [2, 3]);
    const less = t.op("Relu", [conv(t, mean, `${t.module}.fc1`, channels, channels / 4, { kernel: [1, 1] })]);
    const more = conv(t, less, `${t.module}.fc2`, channels / 4, channels, { kernel: [1, 1] });
    const gate = named ? hardSigmoid(t, more) : t.op("Div", [clip(t, t.op("Add", [more, t.float(3)]), 0, 6), t.float(6)]);
    return t.op("Mul", [gate, x]);
  });
}

/** input[batch, 3, 24, 24] → output[batch, 10]; `named`: hard swish and hard sigmoid are operators, from opset 14 on. */
const smallV3 = (name: string, note: string, named: boolean): Generate =>
  generator(name, note, (opset) => {
    const t = new Trace(opset);
    const swish = (x: string) => hardSwish(t, x, named);
    let x = swish(conv(t, "input", "features.0.0", 3, 16, { kernel: [3, 3], stride: 2 }));
    for (const [i, stride] of [1, 2].entries()) {
      x = t.in(`features.${i + 1}`, () => {
        const wide = swish(conv(t, x, `${t.module}.block.0.0`, 16, 64, { kernel: [1, 1] }));
        const deep = swish(conv(t, wide, `${t.module}.block.0.1`, 64, 64, { kernel: [5, 5], stride, group: 64 }));
        const out = conv(t, squeezeExcite(t, deep, 64, named || i === 0), `${t.module}.block.2.0`, 64, 16, { kernel: [1, 1] });
        return stride === 1 ? t.op("Add", [out, x]) : out;
      });
    }
    const pooled = reshape(t, t.op("GlobalAveragePool", [x]), size(t, "input", 0), -1);
    const wide = swish(gemm(t, pooled, "classifier.0", 16, 80));
    const graph = t.graph(
      [float32("input", ["batch_size", 3, 24, 24])],
      [[gemm(t, t.op("Dropout", [wide]), "classifier.3", 80, 10), float32("output", ["batch_size", 10])]],
    );
    return { graph, inputs: image(24) };
  });

export const mobilenetV3 = smallV3("mobilenet-v3", "MobileNetV3: squeeze and excite, hard swish spelled out, 5×5 depthwise", false);
export const mobilenetV3Named = smallV3("mobilenet-v3-named", "MobileNetV3 whose HardSwish and HardSigmoid are operators", true);
