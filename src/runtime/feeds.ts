/** What a run is fed, held against what a model says it takes. */
import { UnsupportedError } from "../errors.ts";
import { type Datum, isTensor } from "../ops/op.ts";
import { arrayOf, BITS, byteLength, elements, type Tensor } from "../tensor.ts";
import { type Port, typeText } from "./ports.ts";

/** Sizes that dimensions with a name have in the inputs looked at before. */
export type Bound = Map<string, { size: number; by: string }>;

/** Refuses a feed that is not what the model says it takes. A dimension's name stands for one size in all inputs. */
export function check(port: Port, given: Datum, bound: Bound): void {
  const wrong = (what: string) =>
    new UnsupportedError(`Input '${port.name}' ${what}; the model takes ${typeText(port)}`, { tensor: port.name });
  if (typeof given === "object" && ("sequence" in given || "optional" in given)) {
    if ("sequence" in given && !(Array.isArray(given.sequence) && given.sequence.every(isWhole)))
      throw wrong("has items that are no tensors");
    return;
  }
  if (!isWhole(given)) throw wrong(`is ${described(given)}, expected { dtype, shape, data }`);
  checkTensor(port, given, bound, wrong);
}

/** Whether a value has the parts of a tensor. */
function isWhole(value: unknown): value is Tensor {
  if (typeof value !== "object" || value === null || !isTensor(value as Datum)) return false;
  const { dtype, shape, data } = value as Partial<Tensor>;
  return typeof dtype === "string" && dtype in BITS && Array.isArray(shape) && (Array.isArray(data) || ArrayBuffer.isView(data));
}

/** What a caller gave, in a few words. */
function described(value: unknown): string {
  if (typeof value !== "object" || value === null) return `a ${typeof value}`;
  const names = ArrayBuffer.isView(value) || Array.isArray(value) ? [] : Object.keys(value);
  return names.length > 0 ? `an object of ${names.slice(0, 5).join()}` : `a bare ${value.constructor?.name ?? "object"}`;
}

function checkTensor({ name, dtype, shape }: Port, tensor: Tensor, bound: Bound, wrong: (what: string) => UnsupportedError): void {
  if (dtype && tensor.dtype !== dtype) throw wrong(`is ${tensor.dtype}`);
  const array = tensor.dtype === "string" ? Array : arrayOf(tensor.dtype, new Uint8Array(0)).constructor;
  if (tensor.data.constructor !== array && !(array === Uint8Array && tensor.data instanceof Uint8Array))
    throw wrong(`has its elements in a ${tensor.data.constructor.name}, where ${tensor.dtype} takes a ${array.name}`);
  if (!tensor.shape.every((d) => Number.isSafeInteger(d) && d >= 0)) throw wrong(`has the shape [${tensor.shape}]`);
  const expected = lengthOf(tensor);
  if (tensor.data.length !== expected) throw wrong(`has ${tensor.data.length} elements, and its shape [${tensor.shape}] takes ${expected}`);
  if (!shape) return;
  if (shape.length !== tensor.shape.length) throw wrong(`has the shape [${tensor.shape}]`);
  shape.forEach((d, i) => {
    const size = tensor.shape[i] as number;
    if (typeof d === "number" ? d !== size : false) throw wrong(`has the shape [${tensor.shape}]`);
    if (typeof d !== "string" || d === "") return;
    const before = bound.get(d);
    if (before && before.size !== size) throw wrong(`has the shape [${tensor.shape}], and ${d} is ${before.size} in '${before.by}'`);
    bound.set(d, { size, by: name });
  });
}

/** Elements of the array that holds a tensor: sub-byte types are packed, complex ones are pairs. */
function lengthOf({ dtype, shape }: Tensor): number {
  if (dtype === "string") return elements(shape);
  const width = arrayOf(dtype, new Uint8Array(0)).BYTES_PER_ELEMENT;
  return byteLength(dtype, shape) / width;
}
