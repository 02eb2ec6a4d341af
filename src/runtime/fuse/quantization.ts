/** What quantized graphs say of their tensors: https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html */
import type { Node } from "../../graph/graph.ts";
import { roundEven } from "../../ops/half.ts";
import { axisOf } from "../../ops/op.ts";
import type { Edits, Model } from "../../optimize/model.ts";
import type { Tensor } from "../../tensor.ts";

/** Scales and zero points that are read, at most. */
const MAX_VECTOR = 1 << 22;

/** How bytes stand for floats: (byte − zero) · scale, with one of each or one a channel. */
export interface Quantization {
  dtype: "int8" | "uint8";
  scale: Float32Array;
  zero: Int32Array;
  /** Of the channels, where there is more than one scale. */
  axis: number;
}

/** A tensor of bytes and how it is read. */
export interface Quantized extends Quantization {
  name: string;
}

export const range = (dtype: "int8" | "uint8"): [low: number, high: number] => (dtype === "int8" ? [-128, 127] : [0, 255]);

/** The byte that stands for a number, as QuantizeLinear has it; the zero point for NaN. */
export function byteOf(x: number, { dtype, scale: [scale = 1], zero: [zero = 0] }: Quantization): number {
  const [low, high] = range(dtype);
  return Number.isNaN(x) ? zero : Math.min(high, Math.max(low, roundEven(Math.fround(x / scale)) + zero));
}

export async function constant(model: Model, name: string | undefined): Promise<Tensor | undefined> {
  if (!name) return undefined;
  return model.inferred.get(name)?.constant ?? (await model.read(name, MAX_VECTOR));
}

/** Scales and zero points, which must be constants; zero points that are absent are zeros of `dtype`. */
export async function quantizationOf(
  model: Model,
  scale: string | undefined,
  zero: string | undefined,
  dtype: string | undefined,
  axis: number,
): Promise<Quantization | undefined> {
  const [scales, zeros] = [await constant(model, scale), await constant(model, zero)];
  if (scales?.dtype !== "float32" || (zero && !zeros)) return undefined;
  const type = zeros?.dtype ?? dtype;
  if ((type !== "int8" && type !== "uint8") || scales.shape.length > 1 || (zeros && zeros.data.length !== scales.data.length))
    return undefined;
  const data = Float32Array.from(scales.data as Float32Array);
  return { dtype: type, scale: data, zero: zeros ? Int32Array.from(zeros.data as Uint8Array) : new Int32Array(data.length), axis };
}

const isPlain = ({ attributes: { block_size = 0 } }: Node): boolean => block_size === 0;

/** A dequantization as it stands in the graph: (q − zero) · scale. */
export interface Linear {
  q: string;
  scale: string;
  /** '' where it is 0. */
  zero: string;
  /** Of the channels or blocks that have a scale each; may be negative. */
  axis: number;
  /** Elements along the axis that share a scale; 0 where each has its own. */
  block: number;
}

/** How a value is dequantized: by DequantizeLinear, or by Cast, Sub and Mul, as below opset 13. */
export function linearOf(model: Model, name: string): Linear | undefined {
  const node = model.producer(name);
  if (node?.domain !== "") return undefined;
  const [q = "", scale = "", zero = ""] = node.input;
  const { axis = 1, block_size = 0 } = node.attributes as Record<string, number>;
  if (node.op_type === "DequantizeLinear") return { q, scale, zero, axis, block: block_size };
  if (node.op_type !== "Mul") return undefined;
  const factor = node.input.find((each) => model.constants.has(each)) ?? "";
  const of = model.producer(node.input.find((each) => each !== factor) ?? "");
  const moved = of?.domain === "" && of.op_type === "Sub" ? of : undefined;
  const cast = moved ? model.producer(moved.input[0] as string) : of;
  if (cast?.domain !== "" || cast.op_type !== "Cast" || !factor) return undefined;
  const rank = model.inferred.get(name)?.shape?.length ?? 0;
  const [spread, shift] = [factor, moved?.input[1]].map((each) => model.constants.get(each ?? "")?.info.shape);
  if (!spread || spread.length > rank || (moved && shift?.join() !== spread.join())) return undefined;
  const long = spread.findIndex((d) => d !== 1);
  if (spread.slice(long + 1).some((d) => d !== 1)) return undefined;
  return {
    q: cast.input[0] as string,
    scale: factor,
    zero: moved?.input[1] ?? "",
    axis: long < 0 ? 0 : long + rank - spread.length,
    block: 0,
  };
}

/** The bytes that a value is dequantized from. */
export async function dequantized(model: Model, name: string): Promise<Quantized | undefined> {
  const node = model.producer(name);
  if (node?.op_type !== "DequantizeLinear" || node.domain !== "" || !isPlain(node)) return undefined;
  const [q = "", scale, zero] = node.input;
  const { dtype, shape } = model.inferred.get(q) ?? {};
  const axis = axisOf(typeof node.attributes.axis === "number" ? node.attributes.axis : 1, Math.max(1, shape?.length ?? 1)) ?? 0;
  const found = await quantizationOf(model, scale, zero, dtype, axis);
  return found && { ...found, name: q };
}

/** What a QuantizeLinear makes: one scale for all. */
export async function quantizedFor(model: Model, node: Node): Promise<Quantized | undefined> {
  if (!isPlain(node)) return undefined;
  const found = await quantizationOf(model, node.input[1], node.input[2], "uint8", 0);
  return found?.scale.length === 1 ? { ...found, name: node.output[0] as string } : undefined;
}

/** The QuantizeLinear that is the only reader of a value, and what it makes. */
export async function quantizedBy(model: Model, name: string): Promise<{ node: Node; q: Quantized } | undefined> {
  const [use] = model.isPrivate(name) ? model.uses(name) : [];
  const node = use?.node;
  if (node?.op_type !== "QuantizeLinear" || node.domain !== "" || use?.index !== 0) return undefined;
  const q = await quantizedFor(model, node);
  return q && { node, q };
}

/** Int32 constants with a scale each, as floats. */
export async function dequantizedBias(
  model: Model,
  name: string,
): Promise<{ q: string; scale: Float32Array; floats: Float32Array } | undefined> {
  const node = model.producer(name);
  if (node?.op_type !== "DequantizeLinear" || node.domain !== "") return undefined;
  const [q = "", scale, zero] = node.input;
  const [values, scales, zeros] = [await constant(model, q), await constant(model, scale), await constant(model, zero)];
  if (values?.dtype !== "int32" || scales?.dtype !== "float32" || (zeros && !Array.from(zeros.data as Int32Array).every((z) => z === 0)))
    return undefined;
  const own = scales.data as Float32Array;
  const isRow = values.shape.slice(0, -1).every((d) => d === 1);
  if (!isRow || (own.length !== 1 && own.length !== values.data.length)) return undefined;
  const at = (i: number) => own[own.length === 1 ? 0 : i] as number;
  const list = values.data as Int32Array;
  return { q, scale: Float32Array.from(list, (_, i) => at(i)), floats: Float32Array.from(list, (x, i) => x * at(i)) };
}

/** A constant with a zero point for each of `n` columns, a byte of `dtype`; '' where all are 0. */
export function zeroPoints(model: Model, edits: Edits, name: string, dtype: "int8" | "uint8", zeros: Int32Array, n: number): string {
  if (zeros.every((zero) => zero === 0)) return "";
  const fresh = model.fresh(name);
  const at = (i: number) => zeros[zeros.length === 1 ? 0 : i] as number;
  const bytes = Int8Array.from({ length: n }, (_, i) => at(i));
  model.define(fresh, { dtype, shape: [n], data: dtype === "int8" ? bytes : new Uint8Array(bytes.buffer) }, edits);
  return fresh;
}
