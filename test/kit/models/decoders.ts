/** Decoders with a cache, as Optimum exports them: past_key_values go in, present comes out, one step or a whole prompt at a time. */
import { drawn, type GraphSpec, type randn } from "../onnx.ts";
import { attend, type Heads, joinHeads, lowerTriangle, paddingMask, splitHeads, triangularMask } from "./attention.ts";
import { attentionMask } from "./encoders.ts";
import { BOOL, type Feeds, floats, type Generate, generator, type TensorValue, tokens } from "./model.ts";
import { arange, expand, layerNorm, linear, reshape, shape, silu, size, slice, split, toFloat, transpose, unsqueeze } from "./operators.ts";
import { rmsNorm } from "./sentences.ts";
import { float32, int64, LEAST, Trace } from "./trace.ts";

const VOCABULARY = 96;
const HIDDEN = 32;
const LAYERS = 2;
const POSITIONS = 32;

const eachLayer = <T>(layers: number, made: (layer: number) => T[]): T[] => Array.from({ length: layers }, (_, i) => made(i)).flat();
const past = (heads: number, head: number, layers = LAYERS) =>
  eachLayer(layers, (i) =>
    ["key", "value"].map((kind) => float32(`past_key_values.${i}.${kind}`, ["batch_size", heads, "past_sequence_length", head])),
  );
const present = (heads: number, head: number, layers = LAYERS) =>
  eachLayer(layers, (i) =>
    ["key", "value"].map((kind) => float32(`present.${i}.${kind}`, ["batch_size", heads, "past_sequence_length + sequence_length", head])),
  );
const inputs = [
  int64("input_ids", ["batch_size", "sequence_length"]),
  int64("attention_mask", ["batch_size", "past_sequence_length + sequence_length"]),
  int64("position_ids", ["batch_size", "sequence_length"]),
];
const logits = (vocabulary = VOCABULARY) => float32("logits", ["batch_size", "sequence_length", vocabulary]);

const positions = (batch: number, from: number, length: number): TensorValue => ({
  type: "int64",
  dims: [batch, length],
  data: BigInt64Array.from({ length: batch * length }, (_, i) => BigInt(from + (i % length))),
});

/** A step of `length` tokens behind `before` that are in the cache. */
function step(batch: number, before: number, length: number, heads: number, head: number, layers = LAYERS, vocabulary = VOCABULARY): Feeds {
  const cache = past(heads, head, layers).map(({ name }, i) => [name, floats([batch, heads, before, head], 20 + i)] as const);
  return {
    input_ids: tokens([batch, length], vocabulary, 3),
    attention_mask: attentionMask(batch, before + length),
    position_ids: positions(batch, before, length),
    ...Object.fromEntries(cache),
  };
}

/** Joins what is in the cache with what is new. */
const cached = (t: Trace, layer: number, kind: string, x: string): string =>
  t.op("Concat", [`past_key_values.${layer}.${kind}`, x], { axis: 2 });

/** Conv1D of Transformers: a linear layer whose weight lies the other way, on rows. */
function rows(t: Trace, x: string, name: string, k: number, n: number): string {
  const flat = reshape(t, x, -1, k);
  const made = t.op("Gemm", [flat, t.weight(`${name}.weight`, [k, n], 1 / Math.sqrt(k)), t.weight(`${name}.bias`, [n], 0.1)]);
  return reshape(t, made, size(t, x, 0), size(t, x, 1), n);
}

/** 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))) */
function geluNew(t: Trace, x: string): string {
  const cube = t.op("Mul", [t.op("Pow", [x, t.float(3)]), t.float(0.044715)]);
  const tanh = t.op("Tanh", [t.op("Mul", [t.op("Add", [x, cube]), t.float(Math.sqrt(2 / Math.PI))])]);
  return t.op("Mul", [t.op("Mul", [x, t.float(0.5)]), t.op("Add", [tanh, t.float(1)])]);
}

const GPT = { count: 4, size: HIDDEN / 4 };

/** Where(the triangle's part for these positions, scores, the least float): computed Slices, from opset 10 on; compared positions before. */
function causal(t: Trace, scores: string, length: string, total: string): string {
  const least = t.float(LEAST);
  if (t.opset < 10) {
    const queries = t.op("Add", [arange(t, length), t.op("Sub", [total, length])]);
    return t.op("Where", [t.op("Greater", [arange(t, total), reshape(t, queries, -1, 1)]), least, scores]);
  }
  const first = unsqueeze(t, t.op("Sub", [total, length]), 0);
  const end = unsqueeze(t, total, 0);
  const table = slice(t, slice(t, lowerTriangle(t, `${t.module}.bias`, POSITIONS), 2, first, end), 3, 0, end);
  return t.op("Where", [t.op("Cast", [table], { to: BOOL }), scores, least]);
}

/** input_ids[batch, length], a cache of two layers → logits[batch, length, 96] by the embedding's own table, and the cache with the step. */
export const gpt = generator(
  "gpt",
  "GPT-2: cache in and out, causal mask by Where, tied head, shapes computed; also from an empty cache",
  (opset) => {
    const t = new Trace(opset);
    const table = t.weight("transformer.wte.weight", [VOCABULARY, HIDDEN], 0.5);
    const caches: string[] = [];
    const mask = t.in("transformer", () => paddingMask(t, "attention_mask"));
    const words = t.op("Gather", [table, "input_ids"]);
    let h = t.op("Add", [words, t.op("Gather", [t.weight("transformer.wpe.weight", [POSITIONS, HIDDEN], 0.2), "position_ids"])]);
    for (let layer = 0; layer < LAYERS; layer++) {
      h = t.in(`transformer/h.${layer}`, () => {
        const normal = layerNorm(t, h, `${t.module}.ln_1`, HIDDEN);
        const attended = t.in("attn", () => {
          const qkv = split(t, rows(t, normal, `${t.module}.c_attn`, HIDDEN, 3 * HIDDEN), [HIDDEN, HIDDEN, HIDDEN], 2);
          const [q, k, v] = qkv.map((each) => splitHeads(t, each, GPT)) as [string, string, string];
          const [keys, values] = [cached(t, layer, "key", k), cached(t, layer, "value", v)];
          caches.push(keys, values);
          const context = attend(t, q, keys, values, GPT, (scores) =>
            t.op("Add", [causal(t, scores, size(t, q, 2), size(t, keys, 2)), mask]),
          );
          return rows(t, joinHeads(t, context, GPT), `${t.module}.c_proj`, HIDDEN, HIDDEN);
        });
        const residual = t.op("Add", [attended, h]);
        const again = layerNorm(t, residual, `${t.module}.ln_2`, HIDDEN);
        const up = t.in("mlp", () => geluNew(t, rows(t, again, `${t.module}.c_fc`, HIDDEN, 2 * HIDDEN)));
        return t.op("Add", [residual, t.in("mlp", () => rows(t, up, `${t.module}.c_proj`, 2 * HIDDEN, HIDDEN))]);
      });
    }
    const head = t.op("MatMul", [layerNorm(t, h, "transformer.ln_f", HIDDEN), transpose(t, table, 1, 0)]);
    const outputs = present(GPT.count, GPT.size).map((spec, i) => [caches[i] as string, spec] as const);
    const graph = t.graph([...inputs, ...past(GPT.count, GPT.size)], [[head, logits()], ...outputs]);
    return {
      graph,
      inputs: step(2, 5, 3, GPT.count, GPT.size),
      more: [step(1, 0, 4, GPT.count, GPT.size), step(1, 7, 1, GPT.count, GPT.size)],
    };
  },
);

export interface LlamaSize {
  vocabulary: number;
  hidden: number;
  layers: number;
  /** Heads of the query, and those of the key and value that they share. */
  heads: number;
  shared: number;
  /** Width of the gated layers. */
  inner: number;
}

/** cos and sin, [batch, 1, length, size], of positions times frequencies. */
function angles(t: Trace, head: number): [cos: string, sin: string] {
  const frequencies = Float32Array.from({ length: head / 2 }, (_, i) => 10000 ** ((-2 * i) / head));
  const inverse = t.tensor("model.rotary_emb.inv_freq", 1, [1, head / 2, 1], frequencies);
  const wide = expand(t, inverse, size(t, "position_ids", 0), -1, 1);
  const turned = transpose(t, t.op("MatMul", [wide, toFloat(t, unsqueeze(t, "position_ids", 1))]), 0, 2, 1);
  const both = t.op("Concat", [turned, turned], { axis: -1 });
  return [unsqueeze(t, t.op("Cos", [both]), 1), unsqueeze(t, t.op("Sin", [both]), 1)];
}

/** x · cos + rotate_half(x) · sin */
function rotate(t: Trace, x: string, [cos, sin]: readonly [string, string], head: number): string {
  const [low, high] = [slice(t, x, 3, 0, head / 2), slice(t, x, 3, head / 2, head)];
  const half = t.op("Concat", [t.op("Neg", [high]), low], { axis: -1 });
  return t.op("Add", [t.op("Mul", [x, cos]), t.op("Mul", [half, sin])]);
}

/** Each head of the cache as often as heads of the query share it. */
function repeated(t: Trace, x: string, { hidden, heads, shared }: LlamaSize): string {
  const wide = expand(t, unsqueeze(t, x, 2), size(t, x, 0), shared, heads / shared, size(t, x, 2), hidden / heads);
  return t.op("Reshape", [wide, shape(t, size(t, x, 0), heads, size(t, x, 2), hidden / heads)]);
}

/** The causal mask with the padding put in where both allow: an Equal to zero of their sum. */
function jointMask(t: Trace): string {
  const [length, total] = [size(t, "input_ids", 1), size(t, "attention_mask", 1)];
  const ahead = expand(t, unsqueeze(t, triangularMask(t, length, total), 0, 1), size(t, "input_ids", 0), 1, -1, -1);
  const here = toFloat(t, unsqueeze(t, "attention_mask", 1, 2));
  const padded = t.op("Equal", [cast32(t, t.op("Add", [ahead, here])), cast32(t, t.float(0))]);
  return t.op("Where", [padded, t.float(LEAST), ahead]);
}

/** Equal compares floats from opset 11 on. */
const cast32 = (t: Trace, x: string): string => (t.opset < 11 ? t.op("Cast", [t.op("Sign", [x])], { to: 6 }) : x);

/** The same inputs → logits by a head of its own. `random` makes the weights. */
function llamaGraph(opset: number, llama: LlamaSize, random?: typeof randn): GraphSpec {
  const { vocabulary, hidden, layers, inner } = llama;
  const [queries, keysValues] = [llama.heads, llama.shared].map((count) => ({ count, size: hidden / llama.heads })) as [Heads, Heads];
  const narrow = keysValues.count * keysValues.size;
  const t = new Trace(opset, random);
  const caches: string[] = [];
  let h = t.op("Gather", [t.weight("model.embed_tokens.weight", [vocabulary, hidden], 0.5), "input_ids"]);
  const mask = t.in("model", () => jointMask(t));
  const turns = t.in("model/rotary_emb", () => angles(t, queries.size));
  for (let layer = 0; layer < layers; layer++) {
    h = t.in(`model/layers.${layer}`, () => {
      const normal = rmsNorm(t, h, `${t.module}.input_layernorm`, hidden);
      const attended = t.in("self_attn", () => {
        const q = rotate(t, splitHeads(t, linear(t, normal, "q_proj", hidden, hidden, false), queries), turns, queries.size);
        const k = rotate(t, splitHeads(t, linear(t, normal, "k_proj", hidden, narrow, false), keysValues), turns, queries.size);
        const v = splitHeads(t, linear(t, normal, "v_proj", hidden, narrow, false), keysValues);
        const [keys, values] = [cached(t, layer, "key", k), cached(t, layer, "value", v)];
        caches.push(keys, values);
        const [wideKeys, wideValues] = [repeated(t, keys, llama), repeated(t, values, llama)];
        const context = attend(t, q, wideKeys, wideValues, queries, (scores) => t.op("Add", [scores, mask]));
        return linear(t, joinHeads(t, context, queries), "o_proj", hidden, hidden, false);
      });
      const residual = t.op("Add", [h, attended]);
      const again = rmsNorm(t, residual, `${t.module}.post_attention_layernorm`, hidden);
      const gate = t.in("mlp", () => silu(t, linear(t, again, "gate_proj", hidden, inner, false)));
      const up = t.op("Mul", [gate, linear(t, again, "up_proj", hidden, inner, false)]);
      return t.op("Add", [residual, linear(t, up, "down_proj", inner, hidden, false)]);
    });
  }
  const head = linear(t, rmsNorm(t, h, "model.norm", hidden), "lm_head", hidden, vocabulary, false);
  const outputs = present(keysValues.count, keysValues.size, layers).map((spec, i) => [caches[i] as string, spec] as const);
  return t.graph([...inputs, ...past(keysValues.count, keysValues.size, layers)], [[head, logits(vocabulary)], ...outputs]);
}

export const llama = generator(
  "llama",
  "Llama: rotary positions, heads that share keys and values, gated layers, causal mask by Trilu",
  (opset) => {
    const small: LlamaSize = { vocabulary: VOCABULARY, hidden: HIDDEN, layers: LAYERS, heads: 4, shared: 2, inner: 48 };
    return { graph: llamaGraph(opset, small), inputs: step(2, 6, 2, 2, HIDDEN / 4), more: [step(1, 0, 5, 2, HIDDEN / 4)] };
  },
);

/** One token behind `before` that are in the cache of a Llama of any size. */
export const llamaStep = (llama: LlamaSize, before = 64): Generate =>
  generator("llama-step", "Llama, one token", (opset) => {
    const { vocabulary, hidden, layers, heads, shared } = llama;
    return { graph: llamaGraph(opset, llama, drawn), inputs: step(1, before, 1, shared, hidden / heads, layers, vocabulary) };
  });
