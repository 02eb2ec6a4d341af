import { type Decision, type Encoding, keep, type Weight } from "../encoding.ts";
import { pieces } from "../kernels/channels.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { aroundAxes, elements } from "../tensor.ts";
import { integers, parameters } from "./affine.ts";
import { type Encoder, NOTHING, type Pass, readError } from "./encoder.ts";

type Affine8 = Encoding & { kind: "affine8" };

/**
 * `q8`, `int8`, `uint8`: what the ONNX tools of Python call dynamic quantization. Weights are integers, activations become integers
 * while the model runs. `q8` is what Transformers.js loads by that name: uint8 where the model convolves, else int8. Whatever the scheme,
 * lookups and left sides are uint8, as activations are, and the weights of an LSTM int8.
 */
export const dynamic =
  (dtype: "int8" | "uint8" | undefined) =>
  (weight: Weight, granularity: "per_channel" | "per_tensor" = "per_tensor"): Decision => {
    const { op, dynamic: taken } = weight.role;
    if (!taken) return keep(`used by ${op}, which dynamic quantization leaves in float`);
    if (weight.dtype !== "float32") return keep(`${weight.dtype}: dynamic quantization computes in float32`);
    const { first, transposed, channel_axis: axis } = taken;
    // An LSTM has a scale a direction at least.
    if (first === "recurrent") return { kind: "affine8", dtype: "int8", channels: [0, granularity === "per_channel" ? 2 : 1], transposed };
    const own = dtype ?? (weight.convolves ? "uint8" : "int8");
    const perChannel = granularity === "per_channel" && axis !== undefined;
    return {
      kind: "affine8",
      dtype: first === "lookup" || first === "left" ? "uint8" : own,
      channels: perChannel ? [axis, axis + 1] : [0, 0],
      transposed,
      ...(perChannel || axis === undefined ? {} : { watch: axis }),
    };
  };

/** A pass for the ranges of the channels, a pass for the values. */
export function affine8Encoder(kernels: Kernels, shape: readonly number[], encoding: Affine8): Encoder {
  const { channels: axes, transposed, least: leastScales } = encoding;
  const { arena, fn } = kernels;
  const total = elements(shape);
  const around = aroundAxes(shape, axes);
  const { channels } = around;
  const [least, most, scale, zero_point] = [
    arena.alloc(channels * 4),
    arena.alloc(channels * 4),
    arena.alloc(channels * 4),
    arena.alloc(channels),
  ];
  const acc = arena.alloc(24);
  for (const state of [least, most]) arena.u8(state, channels * 4).fill(0); // zero must be among the values that are exact
  arena.u8(acc, 24).fill(0);
  const [low, high] = integers(encoding);
  let [y, capacity] = [0, 0];

  const first = pieces(around);
  const observe: Pass = {
    take(x, n) {
      for (const { at, outer, channels: c, inner, channel } of first(n)) {
        fn.f32_minmax_channels(outer, c, inner, x + at * 4, least + channel * 4, most + channel * 4);
      }
      return NOTHING;
    },
    *end() {
      const [mins, maxs, scales, zeros] = [
        arena.f32(least, channels),
        arena.f32(most, channels),
        arena.f32(scale, channels),
        arena.u8(zero_point, channels),
      ];
      for (let i = 0; i < channels; i++) {
        const { scale, zero_point } = parameters({ min: mins[i] as number, max: maxs[i] as number }, encoding);
        scales[i] = Math.max(scale, leastScales?.[i] ?? 0);
        zeros[i] = zero_point;
      }
    },
  };
  const second = pieces(around);
  const quantize = (x: number, n: number): Uint8Array => {
    if (n > capacity) [y, capacity] = [arena.alloc(n), n];
    for (const { at, outer, channels: c, inner, channel } of second(n)) {
      const of = [x + at * 4, y + at, scale + channel * 4, zero_point + channel, low] as const;
      fn.f32_qa8_channels(outer, c, inner, ...of, high);
      fn.qa8_error_channels(outer, c, inner, ...of, acc);
    }
    return arena.u8(y, n);
  };
  return {
    takes: "float32",
    unit: 1,
    lengths: [total, channels * 4, channels],
    rest: () => [arena.u8(scale, channels * 4), arena.u8(zero_point, channels)],
    error: readError(kernels, acc),
    passes: [observe, transposed ? turnedRound(quantize, shape) : { take: quantize }],
  };
}

/** Columns that are turned round at a time: the bytes of a cache line. */
const PANEL = 64;

/** Gathers the bytes of a [..., N, K] tensor and gives them as [..., K, N]. */
function turnedRound(quantize: Pass["take"], shape: readonly number[]): Pass {
  const [n = 0, k = 0] = shape.slice(-2);
  const values = new Uint8Array(elements(shape));
  let fill = 0;
  return {
    take(x, count) {
      values.set(quantize(x, count), fill);
      fill += count;
      return NOTHING;
    },
    *end() {
      const panel = new Uint8Array(PANEL * n);
      for (let start = 0; start < values.byteLength; start += n * k) {
        for (let column = 0; column < k; column += PANEL) {
          const width = Math.min(PANEL, k - column);
          for (let j = 0; j < n; j++) {
            const at = start + j * k + column;
            for (let i = 0; i < width; i++) panel[i * n + j] = values[at + i] as number;
          }
          yield panel.subarray(0, width * n);
        }
      }
    },
  };
}
