/** Attention, head by head: scores of some queries at a time, which stay in the cache until they have weighed the values. */
import { int } from "../../ops/op.ts";
import type { Operand } from "../operand.ts";
import type { Lower } from "./lower.ts";
import { packedBytes } from "./products.ts";

/** Bytes of scores at once. */
const SCORES = 1 << 17;

/** Where the heads of a tensor of four axes lie. */
function headsOf({ shape, address }: Operand, axis: number) {
  const [batches, heads, steps, size] = (axis === 2 ? [0, 2, 1, 3] : [0, 1, 2, 3]).map((i) => shape[i]) as [number, number, number, number];
  const line = axis === 2 ? heads * size : size;
  const at = (batch: number, head: number) => address + (batch * heads * steps + head * (axis === 2 ? 1 : steps)) * size * 4;
  return { batches, heads, steps, size, line, at };
}

export const Attention: Lower = ({ node, inputs: [query, key, value, mask], outputs: [out], fn, work, temporary, table }) => {
  if (!query || !key || !value || !out) return undefined;
  const axis = (name: string) => int(node, `${name}_heads`, 1);
  const [q, k, v, y] = [headsOf(query, axis("q")), headsOf(key, axis("k")), headsOf(value, axis("v")), headsOf(out, axis("y"))];
  const isOne =
    [k, v].every(({ batches, heads }) => batches === q.batches && heads === q.heads) && k.size === q.size && k.steps === v.steps;
  const masks = mask && [...new Array<number>(4 - mask.shape.length).fill(1), ...mask.shape];
  const isHidden = !masks || ([q.batches, q.heads, q.steps].every((d, i) => masks[i] === d || masks[i] === 1) && masks[3] === k.steps);
  if (!isOne || !isHidden) return undefined;
  const [each, across] = [(masks?.[2] ?? 0) * k.steps * 4, masks?.[1] ?? 1];
  const maskAt = (batch: number, head: number) =>
    mask ? mask.address + ((masks?.[0] === 1 ? 0 : batch) * across + (across === 1 ? 0 : head)) * each : 0;
  const isRow = masks?.[2] === 1;
  const rows = Math.min(q.steps, Math.max(16, Math.floor(SCORES / (k.steps * 4) / 16) * 16));
  const [scores, keys, values] = [
    temporary(rows * k.steps * 4),
    temporary(packedBytes(k.size, k.steps)),
    temporary(packedBytes(k.steps, v.size)),
  ];
  const scale = Number(node.attributes.scale ?? 1);
  const [factor, summand] = [table(Float32Array.of(scale)), table(Float32Array.of(0))];
  return () => {
    for (let batch = 0; batch < q.batches; batch++) {
      for (let head = 0; head < q.heads; head++) {
        fn.f32_pack_bt(k.size, k.steps, k.at(batch, head), k.line, keys);
        if (scale !== 1) fn.f32_affine(1, 1, packedBytes(k.size, k.steps) / 4, keys, keys, factor, summand);
        fn.f32_pack_b(k.steps, v.size, v.at(batch, head), v.line, values);
        const [from, to, hidden] = [q.at(batch, head), y.at(batch, head), maskAt(batch, head)];
        for (let row = 0; row < q.steps; row += rows) {
          const m = Math.min(rows, q.steps - row);
          const [bias, z] = isRow ? [hidden, 0] : [0, hidden && hidden + row * k.steps * 4];
          fn.f32_gemm(m, k.steps, q.size, from + row * q.line * 4, q.line, keys, 0, scores, k.steps, bias, z, k.steps, 1, 0, 0, 0, work);
          fn.f32_softmax(m, k.steps, 1, scores, scores);
          fn.f32_gemm(m, v.size, k.steps, scores, k.steps, values, 0, to + row * y.line * 4, y.line, 0, 0, 0, 0, 0, 0, 0, work);
        }
      }
    }
  };
};
