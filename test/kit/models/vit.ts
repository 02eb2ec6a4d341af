/** Vision transformers as timm's are exported: q, k and v of three MatMuls or of one, for one batch size or any. */
import { concat } from "./layers.ts";
import { floats, type Generate, generator } from "./model.ts";
import { conv, expand, gelu, gemm, layerNorm, linear, reshape, size, slice, softmax, split, squeeze, transpose } from "./operators.ts";
import { float32, Trace } from "./trace.ts";

const BATCH = 2;
const [HIDDEN, HEADS, LENGTH] = [32, 4, 17];
const SCALE = 1 / Math.sqrt(HIDDEN / HEADS);

interface Options {
  /** `gathered` and `split`: one MatMul to 3 · HIDDEN, taken apart by Gather, or by Split and Squeeze. */
  qkv: "separate" | "gathered" | "split";
  /** Shapes are read from values, the batch's and all others. */
  dynamic: boolean;
}

/** [3, B, heads, T, size] → q, k and v. */
function takenApart(t: Trace, x: string, qkv: "gathered" | "split"): string[] {
  if (qkv === "gathered") return [0, 1, 2].map((i) => t.op("Gather", [x, t.ints(i)], { axis: 0 }));
  return split(t, x, [1, 1, 1], 0).map((part) => squeeze(t, part, 0));
}

function attention(t: Trace, x: string, { qkv, dynamic }: Options): string {
  const [batch, length, hidden] = dynamic ? [0, 1, 2].map((axis) => size(t, x, axis)) : [BATCH, LENGTH, HIDDEN];
  const each = dynamic ? t.op("Div", [hidden as string, t.ints(HEADS)]) : HIDDEN / HEADS;
  const projected = (name: string, n: number) => linear(t, x, `${t.module}.${name}`, HIDDEN, n);
  const view = (x: string, ...dims: (number | string)[]) => reshape(t, x, batch as number | string, length as number | string, ...dims);
  const heads =
    qkv === "separate"
      ? ["q", "k", "v"].map((name) => transpose(t, view(projected(name, HIDDEN), HEADS, each), 0, 2, 1, 3))
      : takenApart(t, transpose(t, view(projected("qkv", 3 * HIDDEN), 3, HEADS, each), 2, 0, 3, 1, 4), qkv);
  const [q, k, v] = heads as [string, string, string];
  const scores = t.op("MatMul", [t.op("Mul", [q, t.float(SCALE)]), transpose(t, k, 0, 1, 3, 2)]);
  const context = transpose(t, t.op("MatMul", [softmax(t, scores, 4), v]), 0, 2, 1, 3);
  return linear(t, view(context, hidden as number | string), `${t.module}.proj`, HIDDEN, HIDDEN);
}

function block(t: Trace, x: string, options: Options): string {
  const normal = layerNorm(t, x, `${t.module}.norm1`, HIDDEN, 1e-6);
  const attended = t.op("Add", [x, t.in("attn", () => attention(t, normal, options))]);
  const again = layerNorm(t, attended, `${t.module}.norm2`, HIDDEN, 1e-6);
  const wide = gelu(t, linear(t, again, `${t.module}.mlp.fc1`, HIDDEN, 4 * HIDDEN));
  return t.op("Add", [attended, linear(t, wide, `${t.module}.mlp.fc2`, 4 * HIDDEN, HIDDEN)]);
}

/** input[B, 3, 32, 32] in 16 patches of 8 × 8 and a class token, [B, 17, 32]. */
function embedded(t: Trace, dynamic: boolean): string {
  const patches = conv(t, "input", "patch_embed.proj", 3, HIDDEN, { kernel: [8, 8], stride: 8, pads: [0, 0, 0, 0] });
  const flat = dynamic
    ? t.op("Reshape", [patches, concat(t, 0, slice(t, t.op("Shape", [patches]), 0, 0, 2), t.ints([-1]))])
    : reshape(t, patches, BATCH, HIDDEN, LENGTH - 1);
  const token = t.weight("cls_token", [1, 1, HIDDEN], 0.5);
  const tokens = dynamic ? expand(t, token, size(t, "input", 0), -1, -1) : t.op("Expand", [token, t.ints([BATCH, 1, HIDDEN])]);
  return t.op("Add", [concat(t, 1, tokens, transpose(t, flat, 0, 2, 1)), t.weight("pos_embed", [1, LENGTH, HIDDEN], 0.2)]);
}

const vit = (name: string, note: string, options: Options): Generate =>
  generator(name, note, (opset) => {
    const t = new Trace(opset);
    let h = embedded(t, options.dynamic);
    for (const i of [0, 1]) h = t.in(`blocks.${i}`, () => block(t, h, options));
    const token = t.op("Gather", [layerNorm(t, h, "norm", HIDDEN, 1e-6), t.ints(0)], { axis: 1 });
    const batch = options.dynamic ? "batch_size" : BATCH;
    const graph = t.graph([float32("input", [batch, 3, 32, 32])], [[gemm(t, token, "head", HIDDEN, 10), float32("output", [batch, 10])]]);
    const other = options.dynamic ? 1 : BATCH;
    return { graph, inputs: { input: floats([BATCH, 3, 32, 32], 5) }, more: [{ input: floats([other, 3, 32, 32], 6) }] };
  });

export const vits: readonly Generate[] = [
  vit("vit-separate", "ViT: q, k and v of three MatMuls with biases, heads by constant Reshapes", { qkv: "separate", dynamic: false }),
  vit("vit-separate-sizes", "ViT: q, k and v of three MatMuls, heads by shapes that the graph computes", {
    qkv: "separate",
    dynamic: true,
  }),
  vit("vit-fused", "ViT: one MatMul for q, k and v, Reshape to [B, T, 3, heads, size], Transpose, Split, Squeeze", {
    qkv: "split",
    dynamic: false,
  }),
  vit("vit-fused-sizes", "ViT: one MatMul for q, k and v, taken apart by Gather, by shapes that the graph computes", {
    qkv: "gathered",
    dynamic: true,
  }),
];
