/** Speech to text as Optimum exports Whisper: an encoder of sound, and a decoder that reads it. */
import { causalMask, joinHeads, scored, splitHeads, weighed } from "./attention.ts";
import { floats, generator, tokens } from "./model.ts";
import { arange, conv, gelu, layerNorm, linear, size, transpose, unsqueeze } from "./operators.ts";
import { float32, int64, Trace } from "./trace.ts";

const VOCABULARY = 96;
const HIDDEN = 32;
const HEADS = { count: 4, size: HIDDEN / 4 };
const MELS = 16;
const FRAMES = 20;
const HIDDEN_STATES = ["batch_size", FRAMES, HIDDEN] as const;

/** Sinusoids: [length, channels], sines before cosines. */
function sinusoids(length: number, channels: number): Float32Array {
  const half = channels / 2;
  return Float32Array.from({ length: length * channels }, (_, i) => {
    const column = i % channels;
    const angle = Math.floor(i / channels) * Math.exp((-Math.log(10000) / (half - 1)) * (column % half));
    return column < half ? Math.sin(angle) : Math.cos(angle);
  });
}

/** Attention of `x` to `y`; Whisper's keys have no bias. */
function attention(t: Trace, x: string, y: string, mask?: string): string {
  const q = t.op("Mul", [t.in("q_proj", () => linear(t, x, t.module, HIDDEN, HIDDEN)), t.float(1 / Math.sqrt(HEADS.size))]);
  const k = t.in("k_proj", () => linear(t, y, t.module, HIDDEN, HIDDEN, false));
  const v = t.in("v_proj", () => linear(t, y, t.module, HIDDEN, HIDDEN));
  const [a, b, c] = [q, k, v].map((each) => splitHeads(t, each, HEADS)) as [string, string, string];
  const scores = scored(t, a, b);
  const context = weighed(t, mask === undefined ? scores : t.op("Add", [scores, mask]), c);
  return t.in("out_proj", () => linear(t, joinHeads(t, context, HEADS), t.module, HIDDEN, HIDDEN));
}

/** x + `write` of x normalized. */
function residual(t: Trace, x: string, norm: string, write: (normal: string) => string): string {
  return t.op("Add", [x, write(layerNorm(t, x, `${t.module}.${norm}`, HIDDEN))]);
}

const feedForward = (t: Trace, x: string): string => {
  const up = t.in("fc1", () => gelu(t, linear(t, x, t.module, HIDDEN, 2 * HIDDEN), true));
  return t.in("fc2", () => linear(t, up, t.module, 2 * HIDDEN, HIDDEN));
};

/** input_features[batch, 16, 40] → last_hidden_state[batch, 20, 32]. */
export const whisperEncoder = generator(
  "whisper-encoder",
  "Whisper's encoder: two Conv of one dimension, sinusoids, two layers",
  (opset) => {
    const t = new Trace(opset);
    const first = gelu(t, conv(t, "input_features", "encoder.conv1", MELS, HIDDEN, { kernel: [3] }), true);
    const second = gelu(t, conv(t, first, "encoder.conv2", HIDDEN, HIDDEN, { kernel: [3], stride: 2 }), true);
    const table = t.tensor("encoder.embed_positions.weight", 1, [FRAMES, HIDDEN], sinusoids(FRAMES, HIDDEN));
    let h = t.op("Add", [transpose(t, second, 0, 2, 1), table]);
    for (const layer of [0, 1]) {
      h = t.in(`encoder/layers.${layer}`, () => {
        const attended = residual(t, h, "self_attn_layer_norm", (x) => t.in("self_attn", () => attention(t, x, x)));
        return residual(t, attended, "final_layer_norm", (x) => feedForward(t, x));
      });
    }
    const out = layerNorm(t, h, "encoder.layer_norm", HIDDEN);
    const graph = t.graph(
      [float32("input_features", ["batch_size", MELS, 2 * FRAMES])],
      [[out, float32("last_hidden_state", HIDDEN_STATES)]],
    );
    return { graph, inputs: { input_features: floats([1, MELS, 2 * FRAMES], 5) } };
  },
);

/** input_ids[batch, length], encoder_hidden_states[batch, 20, 32] → logits[batch, length, 96], by the table of the embedding. */
export const whisperDecoder = generator(
  "whisper-decoder",
  "Whisper's decoder: attention to itself and to the encoder, tied head",
  (opset) => {
    const t = new Trace(opset);
    const table = t.weight("decoder.embed_tokens.weight", [VOCABULARY, HIDDEN], 0.5);
    const positions = t.op("Gather", [t.weight("decoder.embed_positions.weight", [24, HIDDEN], 0.2), arange(t, size(t, "input_ids", 1))]);
    let h = t.op("Add", [t.op("Gather", [table, "input_ids"]), positions]);
    const mask = t.in("decoder", () => unsqueeze(t, causalMask(t, size(t, "input_ids", 1), size(t, "input_ids", 1)), 0, 1));
    for (const layer of [0, 1]) {
      h = t.in(`decoder/layers.${layer}`, () => {
        const attended = residual(t, h, "self_attn_layer_norm", (x) => t.in("self_attn", () => attention(t, x, x, mask)));
        const crossed = residual(t, attended, "encoder_attn_layer_norm", (x) =>
          t.in("encoder_attn", () => attention(t, x, "encoder_hidden_states")),
        );
        return residual(t, crossed, "final_layer_norm", (x) => feedForward(t, x));
      });
    }
    const logits = t.op("MatMul", [layerNorm(t, h, "decoder.layer_norm", HIDDEN), transpose(t, table, 1, 0)]);
    const graph = t.graph(
      [int64("input_ids", ["batch_size", "decoder_sequence_length"]), float32("encoder_hidden_states", HIDDEN_STATES)],
      [[logits, float32("logits", ["batch_size", "decoder_sequence_length", VOCABULARY])]],
    );
    const feeds = (batch: number, length: number) => ({
      input_ids: tokens([batch, length], VOCABULARY, 3),
      encoder_hidden_states: floats([batch, FRAMES, HIDDEN], 5),
    });
    return { graph, inputs: feeds(2, 6), more: [feeds(1, 1)] };
  },
);
