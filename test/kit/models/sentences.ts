/** Encoders of text with arithmetic of their own: T5's relative positions, and what a sentence embedding does to tokens. */
import { paddingMask, scored, weighed } from "./attention.ts";
import { text, textInputs } from "./encoders.ts";
import { generator } from "./model.ts";
import { arange, clip, conv, linear, reduce, reshape, size, toFloat, toInt, transpose, unsqueeze } from "./operators.ts";
import { float32, Trace } from "./trace.ts";

const VOCABULARY = 96;
const HIDDEN = 32;
const HEADS = { count: 4, size: HIDDEN / 4 };

/** T5's normalization: no mean, no bias. */
export function rmsNorm(t: Trace, x: string, name: string, hidden: number): string {
  const mean = reduce(t, "ReduceMean", t.op("Pow", [x, t.float(2)]), [-1]);
  const root = t.op("Sqrt", [t.op("Add", [mean, t.float(1e-6)])]);
  return t.op("Mul", [t.weight(`${name}.weight`, [hidden], 0.1, 1), t.op("Mul", [x, t.op("Div", [t.float(1), root])])]);
}

/** Buckets of distance, half of them for each direction, logarithmic from a quarter on: integers by way of floats. */
function relativeBuckets(t: Trace, length: string, buckets: number): string {
  const range = arange(t, length);
  const distance = t.op("Sub", [unsqueeze(t, range, 0), unsqueeze(t, range, 1)]);
  const forward = t.op("Mul", [toInt(t, t.op("Greater", [distance, t.ints(0)])), t.ints(buckets / 2)]);
  const far = t.op("Abs", [distance]);
  const ratio = t.op("Div", [t.op("Log", [t.op("Div", [toFloat(t, far), t.float(buckets / 4)])]), t.float(Math.log(16))]);
  const large = t.op("Add", [toInt(t, t.op("Mul", [ratio, t.float(buckets / 4)])), t.ints(buckets / 4)]);
  const last = t.op("Add", [t.op("Mul", [large, t.ints(0)]), t.ints(buckets / 2 - 1)]); // full_like
  const bounded = t.op("Where", [t.op("Less", [large, last]), large, last]); // Min takes no int64 before opset 12
  return t.op("Add", [forward, t.op("Where", [t.op("Less", [far, t.ints(buckets / 4)]), far, bounded])]);
}

/** input_ids, attention_mask → last_hidden_state. A relative bias that is looked up, and no scale on the scores. */
export const t5 = generator(
  "t5-encoder",
  "T5: relative positions by logarithmic buckets, root mean square normalization, no biases",
  (opset) => {
    const t = new Trace(opset);
    let h = t.op("Gather", [t.weight("shared.weight", [VOCABULARY, HIDDEN], 1), "input_ids"]);
    const mask = t.in("encoder", () => paddingMask(t, "attention_mask"));
    const bias = t.in("encoder/block.0/layer.0/SelfAttention", () => {
      const table = t.weight(`${t.module}.relative_attention_bias.weight`, [16, HEADS.count], 0.5);
      const looked = t.op("Gather", [table, relativeBuckets(t, size(t, "input_ids", 1), 16)]);
      return t.op("Add", [unsqueeze(t, transpose(t, looked, 2, 0, 1), 0), mask]);
    });
    for (const block of [0, 1]) {
      h = t.in(`encoder/block.${block}`, () => {
        const normal = rmsNorm(t, h, `${t.module}.layer.0.layer_norm`, HIDDEN);
        const [q, k, v] = ["q", "k", "v"].map((name) =>
          transpose(
            t,
            reshape(t, linear(t, normal, name, HIDDEN, HIDDEN, false), size(t, "input_ids", 0), -1, HEADS.count, HEADS.size),
            0,
            2,
            1,
            3,
          ),
        ) as [string, string, string];
        const mixed = weighed(t, t.op("Add", [scored(t, q, k), bias]), v);
        const context = reshape(t, transpose(t, mixed, 0, 2, 1, 3), size(t, "input_ids", 0), -1, HIDDEN);
        const attended = t.op("Add", [h, linear(t, context, "o", HIDDEN, HIDDEN, false)]);
        const up = t.op("Relu", [linear(t, rmsNorm(t, attended, `${t.module}.layer.1.layer_norm`, HIDDEN), "wi", HIDDEN, 64, false)]);
        return t.op("Add", [attended, linear(t, up, "wo", 64, HIDDEN, false)]);
      });
    }
    const out = rmsNorm(t, h, "encoder.final_layer_norm", HIDDEN);
    const graph = t.graph(textInputs, [[out, float32("last_hidden_state", ["batch_size", "sequence_length", HIDDEN])]]);
    return { graph, inputs: text(2, 11, 3), more: [text(1, 4, 5)] };
  },
);

/** Mean of the tokens that are there, of length 1: what sentence-transformers put behind an encoder, here of one convolution. */
export const sentence = generator("sentence", "an embedding by masked mean and length; any batch and length", (opset) => {
  const t = new Trace(opset);
  const embedded = t.op("Gather", [t.weight("embeddings.weight", [VOCABULARY, HIDDEN], 0.5), "input_ids"]);
  const mixed = conv(t, transpose(t, embedded, 0, 2, 1), "mix", HIDDEN, 48, { kernel: [3] });
  const states = transpose(t, t.op("Tanh", [mixed]), 0, 2, 1);
  const wide = t.op("Expand", [unsqueeze(t, "attention_mask", 2), t.op("Shape", [states])]);
  const mask = toFloat(t, wide);
  const sum = reduce(t, "ReduceSum", t.op("Mul", [states, mask]), [1], 0);
  const mean = t.op("Div", [sum, clip(t, reduce(t, "ReduceSum", mask, [1], 0), 1e-9)]);
  const norm = clip(t, reduce(t, "ReduceL2", mean, [1]), 1e-12);
  const embedding = t.op("Div", [mean, t.op("Expand", [norm, t.op("Shape", [mean])])]);
  const graph = t.graph(textInputs, [
    [states, float32("last_hidden_state", ["batch_size", "sequence_length", 48])],
    [embedding, float32("sentence_embedding", ["batch_size", 48])],
  ]);
  return { graph, inputs: text(3, 8, 3), more: [text(1, 2, 5)] };
});
