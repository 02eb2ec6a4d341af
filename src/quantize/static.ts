import { type Decision, keep, type Weight } from "../encoding.ts";

/**
 * `w8a8`: weights of products are symmetric int8, one scale a channel (or a tensor), in 7 bits where the runtime's kernels are faster with those;
 * other operands are uint8 over their range, as activations are.
 */
export function w8a8(weight: Weight, granularity: "per_channel" | "per_tensor" = "per_channel", bits?: 7): Decision {
  const { op, static: taken } = weight.role;
  if (!taken) return keep(`used by ${op}, which static quantization leaves in float`);
  if (weight.dtype !== "float32") return keep(`${weight.dtype}: static quantization computes in float32`);
  const common = { kind: "affine8", transposed: false, static: true } as const;
  if (!taken.product) return { ...common, dtype: "uint8", channels: [0, 0] };
  const { channel_axis: axis } = taken;
  const channels = axis === undefined || granularity === "per_tensor" ? ([0, 0] as const) : ([axis, axis + 1] as const);
  return { ...common, dtype: "int8", channels, ...(bits ? { bits } : {}) };
}
