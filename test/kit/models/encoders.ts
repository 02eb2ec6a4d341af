/** Encoders as Optimum exports them from Transformers: ViT, T5's, and a sentence embedding. */
import { joinHeads, projections, splitHeads, weighed } from "./attention.ts";
import { type Feeds, floats, generator, type TensorValue, tokens } from "./model.ts";
import { conv, expand, gelu, gemm, layerNorm, linear, size, slice, TO_END, toFloat, transpose } from "./operators.ts";
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

export const text = (batch: number, length: number, seed: number): Feeds => ({
  input_ids: tokens([batch, length], VOCABULARY, seed),
  attention_mask: attentionMask(batch, length),
});
export const textInputs = ["input_ids", "attention_mask"].map((name) => int64(name, ["batch_size", "sequence_length"]));

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
