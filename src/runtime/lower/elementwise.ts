/** Operators that work element by element, of one tensor or of several that are broadcast. https://onnx.ai/onnx/operators/ */

import { strides } from "../../ops/strides.ts";
import { elements } from "../../tensor.ts";
import type { Operand } from "../operand.ts";
import type { Call, Lower } from "./lower.ts";

export const Activate: Lower = ({ node: { attributes }, inputs: [x], outputs: [y], fn }) => {
  if (!x || !y) return undefined;
  const { kind, alpha, beta } = attributes as { kind: number; alpha: number; beta: number };
  const n = elements(x.shape);
  return () => fn.f32_activate(n, x.address, y.address, kind, alpha, beta);
};

export const Affine: Lower = ({ inputs: [x, factors, summands], outputs: [y], fn }) => {
  if (!x || !factors || !summands || !y) return undefined;
  const c = elements(factors.shape);
  const [outer, inner] = c === 1 ? [1, elements(x.shape)] : [elements(x.shape) / c, 1];
  return () => fn.f32_affine(outer, c, inner, x.address, y.address, factors.address, summands.address);
};

const isFloat = (...operands: (Operand | undefined)[]): boolean => operands.every((x) => x?.dtype === "float32");

/** Operators of `f32_unary`, by number. */
const unary =
  (op: number): Lower =>
  ({ inputs: [x], outputs: [y], fn }) => {
    if (!x || !y || !isFloat(x, y)) return undefined;
    const n = elements(x.shape);
    return () => fn.f32_unary(n, x.address, y.address, op);
  };

export const Abs = unary(0);
export const Neg = unary(1);
export const Sqrt = unary(2);
export const Reciprocal = unary(3);
export const Floor = unary(4);
export const Ceil = unary(5);
export const Round = unary(6);
export const Sign = unary(7);
export const Log = unary(8);
export const Sin = unary(9);
export const Cos = unary(10);
export const Tan = unary(11);
export const Asin = unary(12);
export const Acos = unary(13);
export const Atan = unary(14);
export const Sinh = unary(15);
export const Cosh = unary(16);
export const Asinh = unary(17);
export const Acosh = unary(18);
export const Atanh = unary(19);

const MAX_AXES = 4;

/** The axes of a result, and how far apart each operand's elements lie along them; neighbours that repeat alike are one axis. */
function axesOf(shape: readonly number[], operands: readonly Operand[]): { sizes: number[]; steps: number[][] } | undefined {
  const own = operands.map((operand) => {
    const steps = strides(operand.shape);
    const missing = shape.length - operand.shape.length;
    return shape.map((_, axis) => (axis < missing || operand.shape[axis - missing] === 1 ? 0 : (steps[axis - missing] as number)));
  });
  const sizes: number[] = [];
  const steps = operands.map((): number[] => []);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number;
    if (size === 1) continue;
    const inner = sizes.length - 1;
    const joins = inner >= 0 && own.every((each, i) => each[axis] === (steps[i]?.[inner] as number) * (sizes[inner] as number));
    if (joins) sizes[inner] = (sizes[inner] as number) * size;
    else {
      sizes.push(size);
      for (const [i, each] of own.entries()) steps[i]?.push(each[axis] as number);
    }
  }
  if (sizes.length > MAX_AXES) return undefined;
  const padded = (list: readonly number[], filler: number) => [
    ...new Array<number>(MAX_AXES - list.length).fill(filler),
    ...list.toReversed(),
  ];
  return { sizes: padded(sizes, 1), steps: steps.map((list) => padded(list, 0)) };
}

type Four = [number, number, number, number];
type Broadcast = (a: number, b: number, y: number, sizes: Four, a_steps: Four, b_steps: Four) => void;

/** Two operands, from left to right where there are more. */
const pairs =
  (make: (call: Call) => Broadcast | undefined): Lower =>
  (call) => {
    const {
      inputs,
      outputs: [y],
    } = call;
    const [a, b] = inputs;
    // Before opset 7 a second operand was broadcast in ways of its own.
    if (!a || !b || !y || inputs.length !== 2 || !isFloat(a, b) || call.opset < 7) return undefined;
    const axes = axesOf(y.shape, [a, b]);
    const run = axes && make(call);
    if (!axes || !run) return undefined;
    const [sizes, [a_steps, b_steps]] = [axes.sizes as Four, axes.steps as [Four, Four]];
    return () => run(a.address, b.address, y.address, sizes, a_steps, b_steps);
  };

const binary = (op: number): Lower =>
  pairs(
    ({ fn }) =>
      (a, b, y, sizes, a_steps, b_steps) =>
        fn.f32_binary(op, a, b, y, ...sizes, ...a_steps, ...b_steps),
  );

export const Add = binary(0);
export const Sub = binary(1);
export const Mul = binary(2);
export const Div = binary(3);
export const Min = binary(4);
export const Max = binary(5);
export const Pow = binary(6);
export const PRelu = binary(7);
export const Sum = Add;

const compare = (op: number, isTurned = false): Lower =>
  pairs(
    ({ fn }) =>
      (a, b, y, sizes, a_steps, b_steps) =>
        isTurned
          ? fn.f32_compare(op, b, a, y, ...sizes, ...b_steps, ...a_steps)
          : fn.f32_compare(op, a, b, y, ...sizes, ...a_steps, ...b_steps),
  );

export const Equal = compare(0);
export const Less = compare(1);
export const LessOrEqual = compare(2);
export const Greater = compare(1, true);
export const GreaterOrEqual = compare(2, true);

/** Elements of four bytes. */
export const Where: Lower = ({ inputs: [condition, a, b], outputs: [y], fn }) => {
  if (!condition || !a || !b || !y || !/^(float32|int32|uint32)$/.test(y.dtype)) return undefined;
  const axes = axesOf(y.shape, [condition, a, b]);
  if (!axes) return undefined;
  const [sizes, [c, p, q]] = [axes.sizes as Four, axes.steps as [Four, Four, Four]];
  return () => fn.f32_where(condition.address, a.address, b.address, y.address, ...sizes, ...c, ...p, ...q);
};

type Casts =
  | "i64_f32"
  | "f32_i64"
  | "i64_i32"
  | "i32_i64"
  | "i32_f32"
  | "f32_i32"
  | "u8_f32"
  | "i8_f32"
  | "f32_bool"
  | "f16_f32"
  | "f32_f16";

/** Casts that kernels do as onnxruntime does them. */
const CASTS: Readonly<Record<string, Casts>> = {
  "int64 float32": "i64_f32",
  "float32 int64": "f32_i64",
  "int64 int32": "i64_i32",
  "int32 int64": "i32_i64",
  "int32 float32": "i32_f32",
  "float32 int32": "f32_i32",
  "uint8 float32": "u8_f32",
  "bool float32": "u8_f32",
  "int8 float32": "i8_f32",
  "float32 bool": "f32_bool",
  "float16 float32": "f16_f32",
  "float32 float16": "f32_f16",
};

export const Cast: Lower = ({ inputs: [x], outputs: [y], fn }) => {
  const cast = x && y && CASTS[`${x.dtype} ${y.dtype}`];
  if (!cast) return undefined;
  const n = elements(x.shape);
  return () => fn[cast](n, x.address, y.address);
};
