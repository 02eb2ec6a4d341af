/** Encoders as Optimum exports them from Transformers: BERT, ViT, T5's, and a sentence embedding. */
import { attend, joinHeads, paddingMask, positionIds, projections, splitHeads, weighed } from "./attention.ts";
import { type Feeds, floats, generator, type TensorValue, tokens } from "./model.ts";
import { arange, conv, expand, gelu, gemm, layerNorm, linear, size, slice, TO_END, toFloat, transpose, unsqueeze } from "./operators.ts";
import { float32, int64, Trace } from "./trace.ts";

const VOCABULARY = 96;
const HIDDEN = 32;
const HEADS = { count: 4, size: HIDDEN / 4 };

/** Ones with a row's last tokens masked, each row one more. */
export const attentionMask = (rows: number, columns: number): TensorValue => ({
  type: "int64",
  dims: [rows, columns],
  data: BigInt64Array.from({ length: rows * columns }, (_, i) => (i % columns < columns - Math.floor(i / columns) ? 1n : 0n)),
});

function selfAttention(t: Trace, x: string, mask: string): string {
  return t.in("attention", () => {
    const [q, k, v] = projections(t, x, ["self/query", "self/key", "self/value"], HIDDEN) as [string, string, string];
    const heads = [q, k, v].map((each) => splitHeads(t, each, HEADS)) as [string, string, string];
    const context = joinHeads(
      t,
      attend(t, ...heads, HEADS, (scores) => t.op("Add", [scores, mask])),
      HEADS,
    );
    const dense = t.in("output/dense", () => linear(t, context, t.module, HIDDEN, HIDDEN));
    return layerNorm(t, t.op("Add", [dense, x]), `${t.module}.output.LayerNorm`, HIDDEN, 1e-12);
  });
}

function feedForward(t: Trace, x: string): string {
  const up = t.in("intermediate/dense", () => gelu(t, linear(t, x, t.module, HIDDEN, 4 * HIDDEN)));
  const down = t.in("output/dense", () => linear(t, up, t.module, 4 * HIDDEN, HIDDEN));
  return layerNorm(t, t.op("Add", [down, x]), `${t.module}.output.LayerNorm`, HIDDEN, 1e-12);
}

export const text = (batch: number, length: number, seed: number): Feeds => ({
  input_ids: tokens([batch, length], VOCABULARY, seed),
  attention_mask: attentionMask(batch, length),
});
export const textInputs = ["input_ids", "attention_mask"].map((name) => int64(name, ["batch_size", "sequence_length"]));

/** A masked language model with its pooler: logits[batch, length, 96], pooler_output[batch, 32]. The head's weight is the table. */
export const bert = generator(
  "bert",
  "BERT: three embeddings, padding mask, pooler, a head tied by Transpose; any batch and length",
  (opset) => {
    const t = new Trace(opset);
    const table = t.weight("bert.embeddings.word_embeddings.weight", [VOCABULARY, HIDDEN], 0.5);
    const mask = t.in("bert", () => paddingMask(t, "attention_mask"));
    const embedded = t.in("bert/embeddings", () => {
      const length = opset < 10 ? undefined : unsqueeze(t, size(t, "input_ids", 1), 0);
      const buffer = positionIds(t, "bert.embeddings.position_ids", 64);
      const ids = length ? slice(t, buffer, 1, 0, length) : unsqueeze(t, arange(t, size(t, "input_ids", 1)), 0);
      const words = t.op("Gather", [table, "input_ids"]);
      const types = t.op("Gather", [t.weight("bert.embeddings.token_type_embeddings.weight", [2, HIDDEN], 0.2), "token_type_ids"]);
      const positions = t.op("Gather", [t.weight("bert.embeddings.position_embeddings.weight", [64, HIDDEN], 0.2), ids]);
      const sum = t.op("Add", [t.op("Add", [words, types]), positions]);
      return layerNorm(t, sum, `${t.module}.LayerNorm`, HIDDEN, 1e-12);
    });
    let h = embedded;
    for (const layer of [0, 1]) h = t.in(`bert/encoder/layer.${layer}`, () => feedForward(t, selfAttention(t, h, mask)));
    const pooled = t.in("bert/pooler", () =>
      t.op("Tanh", [gemm(t, t.op("Gather", [h, t.ints(0)], { axis: 1 }), "bert.pooler", HIDDEN, HIDDEN)]),
    );
    const logits = t.in("cls/predictions", () => {
      const dense = t.in("transform", () => layerNorm(t, gelu(t, linear(t, h, t.module, HIDDEN, HIDDEN)), "cls.LayerNorm", HIDDEN, 1e-12));
      return t.op("Add", [t.op("MatMul", [dense, transpose(t, table, 1, 0)]), t.weight("cls.predictions.bias", [VOCABULARY], 0.1)]);
    });
    const feeds = (batch: number, length: number, seed: number): Feeds => ({
      ...text(batch, length, seed),
      token_type_ids: tokens([batch, length], 2, seed + 1),
    });
    const graph = t.graph(
      [...textInputs, int64("token_type_ids", ["batch_size", "sequence_length"])],
      [
        [logits, float32("logits", ["batch_size", "sequence_length", VOCABULARY])],
        [pooled, float32("pooler_output", ["batch_size", HIDDEN])],
      ],
    );
    return { graph, inputs: feeds(2, 9, 3), more: [feeds(1, 5, 7)] };
  },
);

/** Scores scaled from both sides by the root of the root of the head's size, which the graph reads from a shape. */
function scaledProduct(t: Trace, q: string, k: string, v: string): string {
  const dim = slice(t, t.op("Shape", [q]), 0, -1, TO_END);
  const scale = t.op("Sqrt", [t.op("Div", [t.float(1), t.op("Sqrt", [toFloat(t, dim)])])]);
  return weighed(t, t.op("MatMul", [t.op("Mul", [q, scale]), t.op("Mul", [transpose(t, k, 0, 1, 3, 2), scale])]), v);
}

/** pixel_values[batch, 3, 32, 32] in 16 patches of 8 × 8 → logits[batch, 10]. */
export const vit = generator(
  "vit",
  "ViT: patches by Conv, an expanded class token, pre-normalization, scales read from shapes",
  (opset) => {
    const t = new Trace(opset);
    const patches = t.in("vit/embeddings", () => {
      const made = conv(t, "pixel_values", `${t.module}.patch_embeddings.projection`, 3, HIDDEN, {
        kernel: [8, 8],
        stride: 8,
        pads: [0, 0, 0, 0],
      });
      const flat = t.op("Concat", [slice(t, t.op("Shape", [made]), 0, 0, 2), t.ints([-1])], { axis: 0 });
      const rows = transpose(t, t.op("Reshape", [made, flat]), 0, 2, 1);
      const token = expand(t, t.weight(`${t.module}.cls_token`, [1, 1, HIDDEN], 0.5), size(t, "pixel_values", 0), -1, -1);
      return t.op("Add", [t.op("Concat", [token, rows], { axis: 1 }), t.weight(`${t.module}.position_embeddings`, [1, 17, HIDDEN], 0.2)]);
    });
    let h = patches;
    for (const layer of [0, 1]) {
      h = t.in(`vit/encoder/layer.${layer}`, () => {
        const normal = layerNorm(t, h, `${t.module}.layernorm_before`, HIDDEN, 1e-12);
        const qkv = t.in("attention", () =>
          projections(t, normal, ["query", "key", "value"], HIDDEN).map((each) => splitHeads(t, each, HEADS)),
        );
        const [q, k, v] = qkv as [string, string, string];
        const context = joinHeads(t, scaledProduct(t, q, k, v), HEADS);
        const attended = t.op("Add", [t.in("attention/output", () => linear(t, context, t.module, HIDDEN, HIDDEN)), h]);
        const again = layerNorm(t, attended, `${t.module}.layernorm_after`, HIDDEN, 1e-12);
        const up = t.in("intermediate", () => gelu(t, linear(t, again, t.module, HIDDEN, 2 * HIDDEN)));
        return t.op("Add", [t.in("output", () => linear(t, up, t.module, 2 * HIDDEN, HIDDEN)), attended]);
      });
    }
    const normal = layerNorm(t, h, "vit.layernorm", HIDDEN, 1e-12);
    const logits = t.in("classifier", () => gemm(t, t.op("Gather", [normal, t.ints(0)], { axis: 1 }), "classifier", HIDDEN, 10));
    const graph = t.graph([float32("pixel_values", ["batch_size", 3, 32, 32])], [[logits, float32("logits", ["batch_size", 10])]]);
    return { graph, inputs: { pixel_values: floats([2, 3, 32, 32], 5) } };
  },
);
