import { type Decision, keep, type Weight } from "../encoding.ts";
import { pieces } from "../kernels/channels.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { around, elements } from "../tensor.ts";
import { type Encoder, MAX_UNIT, NOTHING, type Pass, readError } from "./encoder.ts";

/** `w8`: symmetric int8 weights, one scale a channel (or a tensor), as the operator that uses the weight lays its channels. */
export function w8(weight: Weight, granularity: "per_channel" | "per_tensor" = "per_channel"): Decision {
  const { op, channel_axis, float } = weight.role;
  if (float) return keep(float);
  if (granularity === "per_tensor") return { kind: "int8", axis: null, ...(channel_axis === undefined ? {} : { watch: channel_axis }) };
  if (channel_axis === undefined) return keep(`used by ${op}: no axis of output channels is known`);
  return { kind: "int8", axis: channel_axis };
}

/**
 * Symmetric int8: scale = absmax / 127, q = roundTiesToEven(x / scale) in −127..127 (https://arxiv.org/abs/2004.09602, section 3.1.2).
 * Channels that lie together and fit a unit are scaled and rounded in one pass; others take a pass for the maxima and one for the values.
 */
export function int8Encoder(kernels: Kernels, shape: readonly number[], axis: number | null): Encoder {
  const { arena, fn } = kernels;
  const { outer, channels, inner } = around(shape, axis);
  const total = elements(shape);
  const max = arena.alloc(channels * 4);
  const scale = arena.alloc(channels * 4);
  const inverse = arena.alloc(channels * 4);
  const acc = arena.alloc(24);
  arena.u8(max, channels * 4).fill(0);
  arena.u8(acc, 24).fill(0);
  let capacity = 0;
  let y = 0;
  const values = (n: number): number => {
    if (n > capacity) [y, capacity] = [arena.alloc(n), n];
    return y;
  };
  const common = {
    takes: "float32" as const,
    lengths: [total, channels * 4] as const,
    rest: () => [arena.u8(scale, channels * 4)],
    error: readError(kernels, acc),
  };

  if (outer === 1 && inner <= MAX_UNIT) {
    let row = 0;
    const take: Pass["take"] = (x, n) => {
      const rows = n / inner;
      const q = values(n);
      fn.f32_qc8w_rows(rows, inner, x, q, scale + row * 4);
      fn.qc8w_error_channels(1, rows, inner, x, q, scale + row * 4, acc);
      row += rows;
      return arena.u8(q, n);
    };
    return { ...common, unit: Math.max(inner, 1), passes: [{ take }] };
  }

  const plane = channels * inner;
  const [first, second] = [pieces({ outer, channels, inner }), pieces({ outer, channels, inner })];
  const observe = (x: number, n: number): void => {
    for (const { at, outer: o, channels: c, inner: i, channel } of first(n)) fn.f32_absmax_channels(o, c, i, x + at * 4, max + channel * 4);
  };
  const apply = (x: number, n: number): void => {
    for (const { at, outer: o, channels: c, inner: i, channel } of second(n)) {
      fn.f32_qc8w_channels(o, c, i, x + at * 4, y + at, inverse + channel * 4);
      fn.qc8w_error_channels(o, c, i, x + at * 4, y + at, scale + channel * 4, acc);
    }
  };
  const passes: Pass[] = [
    {
      take: (x, n) => (observe(x, n), NOTHING),
      *end() {
        fn.qc8w_scales(channels, max, scale, inverse);
      },
    },
    { take: (x, n) => (values(n), apply(x, n), arena.u8(y, n)) },
  ];
  return { ...common, unit: plane <= MAX_UNIT ? Math.max(plane, 1) : 1, passes };
}
