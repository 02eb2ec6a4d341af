/** Operators on text. RegexFullMatch is not computed: its patterns are RE2's, which never backtrack. */

import type { Tensor } from "../tensor.ts";
import { isRoom, ofTensors } from "./compute.ts";
import { broadcast, unknownDims } from "./dims.ts";
import { bigIntsOf, int64s } from "./elements.ts";
import { int, numbers, type Op, text, texts } from "./op.ts";
import { broadcastStrides, offsets } from "./strides.ts";

const stringsOf = (x: Tensor | undefined) => (x?.dtype === "string" ? (x.data as readonly string[]) : undefined);

/** Of [count] or [1, count] what is no stop word; where nothing is left, one empty text. */
export const StringNormalizer: Op = {
  infer: (_node, [x], context) => [{ dtype: "string", shape: x?.shape && unknownDims(x.shape.length, context) }],
  compute: ofTensors((node, [x]) => {
    const words = stringsOf(x);
    const rank = x?.shape.length ?? 0;
    if (!words || rank < 1 || rank > 2 || (rank === 2 && x?.shape[0] !== 1)) return undefined;
    const isExact = int(node, "is_case_sensitive", 0) !== 0;
    const key = (word: string) => (isExact ? word : word.toLowerCase());
    const stops = new Set((texts(node, "stopwords") ?? []).map(key));
    const action = text(node, "case_change_action", "NONE");
    const kept = words
      .filter((word) => !stops.has(key(word)))
      .map((word) => (action === "LOWER" ? word.toLowerCase() : action === "UPPER" ? word.toUpperCase() : word));
    const data = kept.length > 0 ? kept : [""];
    return [{ dtype: "string", shape: rank === 2 ? [1, data.length] : [data.length], data }];
  }),
};

export const StringConcat: Op = {
  infer: (_node, [a, b], context) => [{ dtype: "string", shape: broadcast([a?.shape, b?.shape], context) }],
  compute: ofTensors((_node, [a, b], { outputs: [y] }) => {
    const [left, right] = [stringsOf(a), stringsOf(b)];
    if (!a || !b || !left || !right || !isRoom(y?.shape)) return undefined;
    const { shape } = y;
    const [from, to] = [a, b].map((x) => offsets(shape, broadcastStrides(x.shape, shape))) as [Int32Array, Int32Array];
    return [{ dtype: "string", shape, data: Array.from(from, (at, i) => `${left[at]}${right[to[i] as number]}`) }];
  }),
};

export const RegexFullMatch: Op = { infer: (_node, [x]) => [{ dtype: "bool", shape: x?.shape }] };

/** Without a delimiter white space parts the words. Rows are as long as the longest. */
export const StringSplit: Op = {
  infer: (_node, [x], context) => [
    { dtype: "string", shape: x?.shape && [...x.shape, context.symbol()] },
    { dtype: "int64", shape: x?.shape },
  ],
  compute: ofTensors((node, [x]) => {
    const lines = stringsOf(x);
    if (!x || !lines) return undefined;
    const [delimiter, most] = [text(node, "delimiter", ""), int(node, "maxsplit", Number.POSITIVE_INFINITY)];
    const rows = lines.map((line) => {
      if (delimiter) {
        const parts = line === "" ? [] : line.split(delimiter);
        return parts.length > most + 1 ? [...parts.slice(0, most), parts.slice(most).join(delimiter)] : parts;
      }
      const words = [...line.matchAll(/\S+/g)];
      const rest = words[most];
      return [...words.slice(0, most).map(([word]) => word), ...(rest ? [line.slice(rest.index).trimEnd()] : [])];
    });
    const width = rows.reduce((n, row) => Math.max(n, row.length), 0);
    if (!isRoom([...x.shape, width])) return undefined;
    const data = rows.flatMap((row) => Array.from({ length: width }, (_, i) => row[i] ?? ""));
    const counts = rows.map((row) => row.length);
    return [{ dtype: "string", shape: [...x.shape, width], data }, int64s(x.shape, counts)];
  }),
};

/** How often n-grams stand in each row: https://onnx.ai/onnx/operators/onnx__TfIdfVectorizer.html */
export const TfIdfVectorizer: Op = {
  infer: (_node, [x], context) => [{ dtype: "float32", shape: x?.shape && [...x.shape.slice(0, -1), context.symbol()] }],
  compute: ofTensors((node, [x]) => {
    const [least, most, skips] = ["min_gram_length", "max_gram_length", "max_skip_count"].map((name) => int(node, name, 0)) as [
      number,
      number,
      number,
    ];
    const [starts, places, weights] = ["ngram_counts", "ngram_indexes", "weights"].map((name) => numbers(node, name));
    const pool: readonly unknown[] | undefined = texts(node, "pool_strings") ?? numbers(node, "pool_int64s");
    const tokens = x && (stringsOf(x) ?? bigIntsOf(x) ?? (x.dtype === "int32" ? x.data : undefined));
    if (!x || !tokens || !starts || !places || !pool || x.shape.length < 1 || x.shape.length > 2) return undefined;
    const ids = new Map<string, number>();
    for (let n = 1, id = 0; n <= starts.length; n++) {
      const end = starts[n] ?? pool.length;
      for (let at = starts[n - 1] as number; at + n <= end; at += n) ids.set(pool.slice(at, at + n).join("\0"), places[id++] as number);
    }
    const width = places.reduce((a, b) => Math.max(a, b + 1), 0);
    const length = x.shape.at(-1) as number;
    const rows = x.shape.length === 2 ? (x.shape[0] as number) : 1;
    if (!isRoom([rows, width]) || !places.every((place) => place >= 0)) return undefined;
    const counts = new Float32Array(rows * width);
    for (let row = 0; row < rows; row++) {
      for (let n = Math.max(1, least); n <= Math.min(most, starts.length); n++) {
        for (let step = 1; step <= (n === 1 ? 1 : Math.min(skips + 1, length)); step++) {
          for (let at = 0; at + (n - 1) * step < length; at++) {
            const gram = Array.from({ length: n }, (_, k) => tokens[row * length + at + k * step]);
            const place = ids.get(gram.join("\0"));
            if (place !== undefined) counts[row * width + place] = (counts[row * width + place] as number) + 1;
          }
        }
      }
    }
    const mode = text(node, "mode", "TF");
    const weight = (i: number) => weights?.[i % width] ?? 1;
    const data = counts.map((count, i) => (mode === "TF" ? count : (mode === "IDF" ? Math.min(count, 1) : count) * weight(i)));
    return [{ dtype: "float32", shape: [...x.shape.slice(0, -1), width], data }];
  }),
};
