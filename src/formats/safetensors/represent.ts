import { BLOCK_SIZE, type Encoding, matrix, type Role } from "../../encoding.ts";
import { around, type TensorInfo } from "../../tensor.ts";

/** Layer kinds that a name tells, in the words of the frameworks that write safetensors. */
const EMBEDDING = /(^|[._])(wte|wpe|shared|embed\w*|relative_attention_bias)([._]|$)|(embeddings?|_embed)([._]|$)/i;
const PART = /_(scale|zero_point)$/;

/** What a file without a graph, with tensors of these names, tells of a weight: rank 2 is a linear layer [out, in], higher ranks are convolutions [out, in, …]. */
export function roleOf({ name, shape }: TensorInfo, names: ReadonlySet<string>): Role {
  const whole = name.replace(PART, "");
  if (whole !== name && (names.has(whole) || names.has(`${whole}_packed`))) return { op: "a loader", keep: "part of a quantized weight" };
  if (EMBEDDING.test(name))
    return { op: "an embedding", float: "an embedding by its name: engines that read compressed-tensors look it up in float" };
  if (shape.length > 2) return { op: "a convolution", channel_axis: 0 };
  const blockwise = shape.length === 2 && (shape[1] as number) % BLOCK_SIZE === 0;
  return { op: "a linear layer", channel_axis: 0, ...(blockwise ? { k_axis: 1 as const } : {}) };
}

/**
 * The tensors of an encoded weight, as compressed-tensors' int-quantized and pack-quantized formats name them:
 * https://github.com/neuralmagic/compressed-tensors. `fixed` holds the bytes of parts that are not encoded but known.
 */
export function partsOf({ name, shape }: TensorInfo, encoding: Encoding): { info: TensorInfo; fixed?: Uint8Array }[] {
  switch (encoding.kind) {
    case "half":
      return [{ info: { name, dtype: encoding.dtype, shape } }];
    case "int8": {
      const { channels } = around(shape, encoding.axis);
      const scale = encoding.axis === null ? [1] : [channels, ...shape.slice(1).map(() => 1)];
      return [{ info: { name, dtype: "int8", shape } }, { info: { name: `${name}_scale`, dtype: "float32", shape: scale } }];
    }
    case "nf4":
    case "affine8":
      throw new TypeError("These schemes are of graphs; a file without one has none.");
    case "int4": {
      const { n, k, blocks } = matrix(shape, encoding.k_axis);
      const size = new BigInt64Array(shape.map(BigInt));
      return [
        { info: { name: `${name}_packed`, dtype: "int32", shape: [n, (k * 4) / 32] } },
        { info: { name: `${name}_scale`, dtype: "float32", shape: [n, blocks] } },
        { info: { name: `${name}_shape`, dtype: "int64", shape: [2] }, fixed: new Uint8Array(size.buffer) },
      ];
    }
  }
}
