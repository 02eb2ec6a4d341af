import { BLOCK_SIZE, type Encoding, matrix, NF4_BLOCK_SIZE, turned } from "../../encoding.ts";
import { makeNode, type Node } from "../../graph/graph.ts";
import { elements, type TensorInfo } from "../../tensor.ts";
import { dataType } from "./proto.ts";

/** The tensors that stand for an encoded weight, in the order its encoder makes them. Their bytes do not depend on the opset. */
export function partsOf(weight: TensorInfo, encoding: Encoding, fresh: (name: string) => string): TensorInfo[] {
  const { name, shape } = weight;
  switch (encoding.kind) {
    case "half":
      return [{ name: fresh(`${name}_${encoding.dtype}`), dtype: encoding.dtype, shape }];
    case "int8":
      return [
        { name: fresh(`${name}_quantized`), dtype: "int8", shape },
        { name: fresh(`${name}_scale`), dtype: "float32", shape: encoding.axis === null ? [] : [shape[encoding.axis] as number] },
      ];
    case "int4": {
      const { n, blocks } = matrix(shape, encoding.k_axis);
      return [
        { name: fresh(`${name}_Q4`), dtype: "uint8", shape: [n, blocks, BLOCK_SIZE / 2] },
        { name: fresh(`${name}_scales`), dtype: encoding.scheme === "q4f16" ? "float16" : "float32", shape: [n, blocks] },
      ];
    }
    case "nf4":
      return [
        { name: fresh(`${name}_Bnb4`), dtype: "uint8", shape: [Math.ceil(elements(shape) / 2)] },
        { name: fresh(`${name}_absmax`), dtype: "float32", shape: [Math.ceil(elements(shape) / NF4_BLOCK_SIZE)] },
      ];
    case "affine8":
      return [
        { name: fresh(`${name}_quantized`), dtype: encoding.dtype, shape: encoding.transposed ? turned(shape) : shape },
        { name: fresh(`${name}_scale`), dtype: "float32", shape: shape.slice(...encoding.channels) },
        { name: fresh(`${name}_zero_point`), dtype: encoding.dtype, shape: shape.slice(...encoding.channels) },
      ];
  }
}

/** An opset, and what asks for it at least. */
export interface Need {
  opset: number;
  by: string;
}

/** What the nodes around a weight so encoded need. */
export function opsetNeeded(encoding: Encoding): Need {
  if (encoding.kind === "affine8" && encoding.static) return STATIC_NEED;
  if (encoding.kind === "affine8") return { opset: 11, by: "DynamicQuantizeLinear" };
  if (encoding.kind === "half" && encoding.dtype === "bfloat16") return { opset: NEWEST_NEED, by: "a Cast from bfloat16" };
  return { opset: 7, by: "a compressed weight" };
}

/** What static quantization needs, for its scales of channels. */
export const STATIC_NEED: Need = { opset: 13, by: "DequantizeLinear along an axis" };

/** The newest opset that any encoding needs. */
export const NEWEST_NEED = 13;

/** Nodes that give the weight's name back to its consumers, from the parts, at the given opset. */
export function restore(
  weight: TensorInfo,
  encoding: Encoding,
  parts: readonly TensorInfo[],
  opset: number,
  fresh: (name: string) => string,
): Node[] {
  if (isPacked(encoding)) throw new TypeError("A packed weight has no float form but the one that stays.");
  const [values = "", scale = "", zero_point] = parts.map((part) => part.name);
  const cast = (from: string) => makeNode("Cast", [from], [weight.name], { to: dataType(weight.dtype) });
  if (encoding.kind === "half") return [cast(values)];

  const axis = axisOf(encoding);
  const single = weight.dtype === "float32";
  const float = single ? weight.name : fresh(`${weight.name}_float`);
  const whole = encoding.kind === "affine8" && axis === null;
  const trailing = axis === null ? 0 : weight.shape.length - 1 - axis;
  const inputs = zero_point === undefined ? [values, scale] : [values, scale, zero_point];
  // The ONNX tools of Python count the last axis from behind.
  const attributes = axis === null ? {} : { axis: encoding.kind === "affine8" && trailing === 0 ? -1 : axis };
  const nodes =
    whole || opset >= 13
      ? [makeNode("DequantizeLinear", inputs, [float], attributes)]
      : arithmetic({ values, scale, zero_point, trailing }, float, fresh);
  return single ? nodes : [...nodes, cast(float)];
}

/**
 * `(values - zero_point) * scale` in float, which every opset has, and which no optimization takes for more than it is. `trailing` is the
 * number of axes after that of the scales: these get as many ones by Unsqueeze, so that their bytes are the same at every opset.
 */
export function arithmetic(
  { values, scale, zero_point, trailing }: { values: string; scale: string; zero_point: string | undefined; trailing: number },
  float: string,
  fresh: (name: string) => string,
): Node[] {
  const nodes: Node[] = [];
  const compute = (op_type: string, input: string[], name: string, attributes = {}): string => {
    const output = fresh(name);
    nodes.push(makeNode(op_type, input, [output], attributes));
    return output;
  };
  const widened = (name: string) => compute("Cast", [name], `${name}_cast`, { to: dataType("float32") });
  const shaped = (name: string) =>
    trailing === 0 ? name : compute("Unsqueeze", [name], `${name}_unsqueezed`, { axes: Array.from({ length: trailing }, (_, i) => i + 1) });
  const whole = widened(values);
  const moved = zero_point === undefined ? whole : compute("Sub", [whole, shaped(widened(zero_point))], `${values}_difference`);
  nodes.push(makeNode("Mul", [moved, shaped(scale)], [float]));
  return nodes;
}

/** The axis along which an encoded weight has a scale for each channel; null where it has one scale. */
function axisOf(encoding: Encoding & { kind: "int8" | "affine8" }): number | null {
  if (encoding.kind === "int8") return encoding.axis;
  const [from, to] = encoding.channels;
  if (encoding.transposed) throw new TypeError("A weight that was turned round is read by nothing else.");
  return from === to ? null : from;
}

/** The encodings of weights that a product of their own reads: MatMulNBits, MatMulBnb4. */
export type Packed = Encoding & { kind: "int4" | "nf4" };
export const isPacked = (encoding: Encoding): encoding is Packed => encoding.kind === "int4" || encoding.kind === "nf4";

export const MICROSOFT = "com.microsoft";
