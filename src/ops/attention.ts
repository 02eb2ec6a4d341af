/** Attention as ai.onnx has it from opset 23 on. */
import { product } from "./dims.ts";
import { int, type Op } from "./op.ts";
import type { Dim, Value } from "./value.ts";

/** Q, K and V are [batch, heads, length, size] or [batch, length, heads · size]. https://onnx.ai/onnx/operators/onnx__Attention.html */
export const Attention: Op = {
  infer(node, [q, , v, , past_key, past_value], context) {
    const [qs, vs] = [q?.shape, v?.shape];
    const [heads, kv] = [int(node, "q_num_heads", 0), int(node, "kv_num_heads", 0)];
    const isFlat = qs?.length === 3 && vs?.length === 3;
    const width =
      isFlat && typeof vs[2] === "number" && kv > 0 && vs[2] % kv === 0 ? product([vs[2] / kv, heads], context) : context.symbol();
    const shape = isFlat
      ? [qs[0] as Dim, qs[1] as Dim, width]
      : qs?.length === 4 && vs?.length === 4
        ? [...qs.slice(0, 3), vs[3] as Dim]
        : undefined;
    const present = (past: Value | undefined): Value => ({ dtype: past?.dtype ?? v?.dtype });
    return [{ dtype: q?.dtype, shape }, present(past_key), present(past_value), { dtype: q?.dtype }];
  },
};

export const RotaryEmbedding: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }] };
