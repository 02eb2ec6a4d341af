import { type DType, elements, type Tensor } from "../tensor.ts";

/** A dimension: its size, or a name for one that is not known. Two dimensions of one name are equal. */
export type Dim = number | string;

export type Dims = readonly Dim[];

/** What is known of a value; absent parts are not known. */
export interface TypeAndShape {
  dtype?: DType | undefined;
  shape?: Dims | undefined;
}

export interface Value extends TypeAndShape {
  /** All elements, of a small tensor. */
  constant?: Tensor | undefined;
  /**
   * The elements of an integer or bool tensor of no or one dimension, as far as they are known: a number, the name of a dimension
   * that it equals, or undefined. This is how a Reshape knows a dimension that went through Dims, Gather and Concat.
   */
  elements?: readonly (Dim | undefined)[] | undefined;
  /** Of a sequence or optional: what its items have in common. */
  item?: TypeAndShape | undefined;
}

/** Elements of a shape, of axes or the like, at most: what is longer is data. */
export const MAX_KNOWN_ELEMENTS = 1024;
/** Dimensions of a tensor, at most: ONNX runtimes stop far below. */
export const MAX_RANK = 64;

/** Whether every dimension is a number. */
export const isStatic = (shape: Dims | undefined): shape is readonly number[] => shape?.every((d) => typeof d === "number") === true;

/** The value of a tensor that is known whole. */
export const constantValue = (tensor: Tensor): Value => ({ dtype: tensor.dtype, shape: tensor.shape, constant: tensor });

const INTEGERS: ReadonlySet<DType> = new Set<DType>(["int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool"]);

/** Elements of an integer value of no or one dimension, as far as they are known; infinity stands for those that no double holds. */
export function elementsOf(value: Value | undefined): readonly (Dim | undefined)[] | undefined {
  const tensor = value?.constant;
  if (!tensor) return value?.elements;
  if (!INTEGERS.has(tensor.dtype) || tensor.shape.length > 1 || elements(tensor.shape) > MAX_KNOWN_ELEMENTS) return undefined;
  return Array.from(tensor.data as ArrayLike<number | bigint>, (x) =>
    Number.isSafeInteger(Number(x)) ? Number(x) : x < 0 ? -Infinity : Infinity,
  );
}

/** Elements of a small integer value, where all are known. */
export function integersOf(value: Value | undefined): readonly number[] | undefined {
  const all = elementsOf(value);
  return all?.every((element) => typeof element === "number") ? (all as readonly number[]) : undefined;
}

/** Elements of a small value of float32 or float64. */
export function floatsOf(value: Value | undefined): readonly number[] | undefined {
  const data = value?.constant?.data;
  const isRead = (data instanceof Float32Array || data instanceof Float64Array) && data.length <= MAX_KNOWN_ELEMENTS;
  return isRead ? Array.from(data) : undefined;
}

/** The one element of an integer value. */
export function integerOf(value: Value | undefined): number | undefined {
  const list = integersOf(value);
  return list?.length === 1 ? list[0] : undefined;
}

/** A value without a shape that no tensor has. */
export function bounded(value: Value): Value {
  const { shape } = value;
  if (!shape) return value;
  const isPossible = shape.length <= MAX_RANK && shape.every((d) => typeof d === "string" || (Number.isSafeInteger(d) && d >= 0));
  return isPossible ? value : { dtype: value.dtype };
}
