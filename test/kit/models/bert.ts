/** BERT of any size, as Optimum exports it from Transformers. */
import { drawn, type GraphSpec, type randn } from "../onnx.ts";
import { attend, joinHeads, paddingMask, positionIds, projections, splitHeads } from "./attention.ts";
import { text, textInputs } from "./encoders.ts";
import { type Feeds, type Generate, generator, tokens } from "./model.ts";
import { arange, gelu, gemm, layerNorm, linear, size, slice, transpose, unsqueeze } from "./operators.ts";
import { float32, int64, Trace } from "./trace.ts";

export interface BertSize {
  vocabulary: number;
  hidden: number;
  heads: number;
  layers: number;
  positions: number;
  /** Whether words are told from hidden states, by the table of their embeddings; else the states are given out. */
  words: boolean;
}

function selfAttention(t: Trace, x: string, mask: string, { hidden, heads: count }: BertSize): string {
  const each = { count, size: hidden / count };
  return t.in("attention", () => {
    const [q, k, v] = projections(t, x, ["self/query", "self/key", "self/value"], hidden) as [string, string, string];
    const heads = [q, k, v].map((x) => splitHeads(t, x, each)) as [string, string, string];
    const context = joinHeads(
      t,
      attend(t, ...heads, each, (scores) => t.op("Add", [scores, mask])),
      each,
    );
    const dense = t.in("output/dense", () => linear(t, context, t.module, hidden, hidden));
    return layerNorm(t, t.op("Add", [dense, x]), `${t.module}.output.LayerNorm`, hidden, 1e-12);
  });
}

function feedForward(t: Trace, x: string, { hidden }: BertSize): string {
  const up = t.in("intermediate/dense", () => gelu(t, linear(t, x, t.module, hidden, 4 * hidden)));
  const down = t.in("output/dense", () => linear(t, up, t.module, 4 * hidden, hidden));
  return layerNorm(t, t.op("Add", [down, x]), `${t.module}.output.LayerNorm`, hidden, 1e-12);
}

/**
 * logits[batch, length, vocabulary] or last_hidden_state[batch, length, hidden], and pooler_output[batch, hidden]. `random` makes the weights.
 */
export function bertGraph(opset: number, bert: BertSize, random?: typeof randn): GraphSpec {
  const { vocabulary, hidden } = bert;
  const t = new Trace(opset, random);
  const table = t.weight("bert.embeddings.word_embeddings.weight", [vocabulary, hidden], 0.5);
  const mask = t.in("bert", () => paddingMask(t, "attention_mask"));
  const embedded = t.in("bert/embeddings", () => {
    const length = opset < 10 ? undefined : unsqueeze(t, size(t, "input_ids", 1), 0);
    const buffer = positionIds(t, "bert.embeddings.position_ids", bert.positions);
    const ids = length ? slice(t, buffer, 1, 0, length) : unsqueeze(t, arange(t, size(t, "input_ids", 1)), 0);
    const words = t.op("Gather", [table, "input_ids"]);
    const types = t.op("Gather", [t.weight("bert.embeddings.token_type_embeddings.weight", [2, hidden], 0.2), "token_type_ids"]);
    const positions = t.op("Gather", [t.weight("bert.embeddings.position_embeddings.weight", [bert.positions, hidden], 0.2), ids]);
    const sum = t.op("Add", [t.op("Add", [words, types]), positions]);
    return layerNorm(t, sum, `${t.module}.LayerNorm`, hidden, 1e-12);
  });
  let h = embedded;
  for (let i = 0; i < bert.layers; i++) h = t.in(`bert/encoder/layer.${i}`, () => feedForward(t, selfAttention(t, h, mask, bert), bert));
  const pooled = t.in("bert/pooler", () =>
    t.op("Tanh", [gemm(t, t.op("Gather", [h, t.ints(0)], { axis: 1 }), "bert.pooler", hidden, hidden)]),
  );
  const logits = (): string =>
    t.in("cls/predictions", () => {
      const dense = t.in("transform", () => layerNorm(t, gelu(t, linear(t, h, t.module, hidden, hidden)), "cls.LayerNorm", hidden, 1e-12));
      return t.op("Add", [t.op("MatMul", [dense, transpose(t, table, 1, 0)]), t.weight("cls.predictions.bias", [vocabulary], 0.1)]);
    });
  return t.graph(
    [...textInputs, int64("token_type_ids", ["batch_size", "sequence_length"])],
    [
      bert.words
        ? [logits(), float32("logits", ["batch_size", "sequence_length", vocabulary])]
        : [h, float32("last_hidden_state", ["batch_size", "sequence_length", hidden])],
      [pooled, float32("pooler_output", ["batch_size", hidden])],
    ],
  );
}

/** A masked language model: logits[batch, length, 96], pooler_output[batch, 32]. The weight of its head is the table. */
export const bert = generator(
  "bert",
  "BERT: three embeddings, padding mask, pooler, a head tied by Transpose; any batch and length",
  (opset) => {
    const feeds = (batch: number, length: number, seed: number): Feeds => ({
      ...text(batch, length, seed),
      token_type_ids: tokens([batch, length], 2, seed + 1),
    });
    const graph = bertGraph(opset, { vocabulary: 96, hidden: 32, heads: 4, layers: 2, positions: 64, words: true });
    return { graph, inputs: feeds(2, 9, 3), more: [feeds(1, 5, 7)] };
  },
);

/** all-MiniLM-L6: input_ids, attention_mask, token_type_ids[batch, length] → last_hidden_state[batch, length, 384], pooler_output[batch, 384]. */
export function minilm({ batch = 1, length = 128 }: { batch?: number; length?: number } = {}): Generate {
  return generator("minilm", "BERT with six layers of 384, twelve heads, 30,522 words", (opset) => {
    const vocabulary = 30522;
    const words = (high: number, seed: number) => tokens([batch, length], high, seed);
    const ones = { type: "int64", dims: [batch, length], data: new BigInt64Array(batch * length).fill(1n) } as const;
    const graph = bertGraph(opset, { vocabulary, hidden: 384, heads: 12, layers: 6, positions: 512, words: false }, drawn);
    return { graph, inputs: { input_ids: words(vocabulary, 3), attention_mask: ones, token_type_ids: words(2, 4) } };
  });
}
