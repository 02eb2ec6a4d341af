/** What is folded, with random inputs that obey the operators' rules, at the opsets where those changed. */
import fc from "fast-check";
import { dataType } from "../../src/graph/types.ts";
import type { DType, Tensor } from "../../src/tensor.ts";
import type { AttributeSpec } from "../kit/onnx.ts";
import { broadcastable, i64, nonempty, shapes, small, tensorFrom, tensors } from "./arbitrary.ts";

export interface Given {
  inputs: readonly (Tensor | undefined)[];
  attributes?: Record<string, AttributeSpec>;
  outputs?: number;
  /** Values may be outside what the operator defines. */
  mayFail?: boolean;
  mayDecline?: boolean;
}

export interface FoldCase {
  op: string;
  domain?: string;
  opsets: readonly number[];
  dtypes: readonly DType[];
  given: (dtype: DType, opset: number) => fc.Arbitrary<Given>;
  /** The runtime makes 0 of −0. */
  zeros?: boolean;
  /** Steps of float32 that the runtime's own approximation may differ by. */
  ulps?: number;
}

const FLOATS: readonly DType[] = ["float32", "float64", "float16"];
const MAIN: readonly DType[] = ["float32", "float64", "int32", "int64"];
const MOVED: readonly DType[] = ["float32", "float16", "int64", "int32", "uint8", "bool"];

const one =
  (element?: (dtype: DType) => fc.Arbitrary<number> | undefined, attributes?: Record<string, AttributeSpec>) =>
  (dtype: DType): fc.Arbitrary<Given> =>
    shapes().chain((shape) => tensors(dtype, shape, element?.(dtype)).map((x) => ({ inputs: [x], ...(attributes && { attributes }) })));

const unary = (op: string, opsets: readonly number[], dtypes: readonly DType[], more: Partial<FoldCase> = {}): FoldCase => ({
  op,
  opsets,
  dtypes,
  given: one(),
  ...more,
});

const two =
  (second?: (dtype: DType) => fc.Arbitrary<number | bigint> | undefined) =>
  (dtype: DType): fc.Arbitrary<Given> =>
    broadcastable.chain(([a, b]) => fc.tuple(tensors(dtype, a), tensors(dtype, b, second?.(dtype))).map((inputs) => ({ inputs })));

const binary = (op: string, opsets: readonly number[], dtypes: readonly DType[], second?: Parameters<typeof two>[0]): FoldCase => ({
  op,
  opsets,
  dtypes,
  given: two(second),
});

const notZero = (dtype: DType) => (FLOATS.includes(dtype) ? undefined : small(1, 9));
const NUMBERS: readonly DType[] = [
  "float32",
  "float64",
  "float16",
  "int8",
  "uint8",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "bool",
  "int16",
  "uint16",
];

/** A permutation of 0 … n − 1. */
const permutation = (n: number) => fc.shuffledSubarray([...Array(n).keys()], { minLength: n, maxLength: n });

const axisOf = (shape: readonly number[]) => fc.integer({ min: -shape.length, max: shape.length - 1 });

export const FOLDS: readonly FoldCase[] = [
  unary("Identity", [7, 13], MOVED),
  unary("Abs", [7, 13], ["float32", "float64", "int8", "int32", "int64", "uint8"]),
  unary("Neg", [7, 13], ["float32", "float64", "int8", "int32", "int64"]),
  unary("Sqrt", [7, 13], ["float32", "float64"]),
  unary("Reciprocal", [7, 13], ["float32", "float64"]),
  unary("Floor", [7, 13], ["float32", "float64"]),
  unary("Ceil", [7, 13], ["float32", "float64"]),
  unary("Round", [11], ["float32", "float64", "float16"]),
  unary("Exp", [7, 13], ["float32"], { ulps: 4 }),
  unary("Log", [7, 13], ["float32"], { ulps: 4 }),
  unary("Relu", [7, 14], ["float32", "float64"]),
  unary("Sign", [13], ["float32", "float64", "int64", "int32", "uint8"]),
  unary("Not", [7], ["bool"]),
  ...["Add", "Sub", "Mul"].map((op) => binary(op, [7, 13], [...MAIN, "float16"])),
  binary("Div", [7, 13], [...MAIN, "float16"], notZero),
  binary("Max", [8], ["float32", "float64"]),
  binary("Min", [8], ["float32", "float64"]),
  binary("Max", [12, 13], MAIN),
  binary("Min", [12, 13], MAIN),
  binary("Sum", [8, 13], ["float32", "float64"]),
  binary("And", [7], ["bool"]),
  binary("Or", [7], ["bool"]),
  binary("Xor", [7], ["bool"]),
  binary("Equal", [11, 13], [...MAIN, "bool"]),
  binary("Greater", [9, 13], MAIN),
  binary("Less", [9, 13], MAIN),
  binary("GreaterOrEqual", [12, 16], MAIN),
  binary("LessOrEqual", [12, 16], MAIN),
  {
    op: "Mod",
    opsets: [10, 13],
    dtypes: [...MAIN, "uint8", "int8"],
    given: (dtype) =>
      fc.tuple(two(notZero)(dtype), fc.boolean()).map(([given, fmod]) => ({
        ...given,
        attributes: { fmod: Number(fmod || FLOATS.includes(dtype)) },
        mayDecline: fmod && dtype === "int64", // of integers that no double holds
      })),
  },
  {
    op: "Pow",
    opsets: [7, 12, 15],
    dtypes: ["float32", "float64"],
    ulps: 1,
    given: (dtype) =>
      broadcastable.chain(([a, b]) => fc.tuple(tensors(dtype, a), tensors(dtype, b, small(-3, 4))).map((inputs) => ({ inputs }))),
  },
  {
    op: "Cast",
    opsets: [9, 13, 19],
    dtypes: NUMBERS,
    given: (dtype) =>
      fc
        .tuple(shapes(), fc.constantFrom(...NUMBERS))
        .chain(([shape, to]) =>
          tensors(dtype, shape).map((x) => ({ inputs: [x], attributes: { to: dataType(to) }, mayDecline: FLOATS.includes(dtype) })),
        ),
  },
  {
    op: "Clip",
    opsets: [12, 13],
    dtypes: ["float32", "float64", "int32", "int64"],
    given: (dtype) =>
      fc
        .tuple(shapes(), fc.boolean(), fc.boolean())
        .chain(([shape, low, high]) =>
          fc
            .tuple(tensors(dtype, shape), tensors(dtype, [], small(-5, 0)), tensors(dtype, [], small(1, 5)))
            .map(([x, min, max]) => ({ inputs: [x, low ? min : undefined, high ? max : undefined] })),
        ),
  },
  {
    op: "Clip",
    opsets: [7],
    dtypes: ["float32"],
    given: (dtype) => one(undefined, { min: { float: -2.5 }, max: { float: 2.5 } })(dtype),
  },
  {
    op: "Where",
    zeros: true,
    opsets: [9, 16],
    dtypes: ["float32", "int64", "int32", "uint8"],
    given: (dtype) =>
      broadcastable.chain(([a, b]) => fc.tuple(tensors("bool", a), tensors(dtype, b), tensors(dtype, [])).map((inputs) => ({ inputs }))),
  },
  {
    op: "Transpose",
    opsets: [7, 13],
    dtypes: MOVED,
    given: (dtype) =>
      shapes().chain((shape) =>
        fc
          .tuple(tensors(dtype, shape), permutation(shape.length))
          .map(([x, perm]) => ({ inputs: [x], attributes: shape.length ? { perm } : {} })),
      ),
  },
  {
    op: "Reshape",
    opsets: [7, 14],
    dtypes: MOVED,
    given: (dtype) =>
      shapes(1, 4, 1).chain((shape) =>
        fc.tuple(tensors(dtype, shape), permutation(shape.length), fc.constantFrom("flat", "same", "turned")).map(([x, perm, how]) => {
          const to =
            how === "flat"
              ? [-1]
              : how === "same"
                ? shape.map((d, i) => (i === 0 ? -1 : i % 2 ? 0 : d))
                : perm.map((i) => shape[i] as number);
          return { inputs: [x, i64(to)] };
        }),
      ),
  },
  {
    op: "Flatten",
    opsets: [9, 13],
    dtypes: ["float32", "int64"],
    given: (dtype) =>
      shapes(1).chain((shape) =>
        fc
          .tuple(tensors(dtype, shape), fc.integer({ min: 0, max: shape.length }))
          .map(([x, axis]) => ({ inputs: [x], attributes: { axis } })),
      ),
  },
  {
    op: "Squeeze",
    opsets: [11, 13],
    dtypes: ["float32", "int64"],
    given: (dtype, opset) =>
      fc
        .tuple(shapes(0, 2), shapes(0, 2), fc.boolean())
        .chain(([a, b, named]) =>
          tensors(dtype, [...a, 1, ...b]).map((x) =>
            !named ? { inputs: [x] } : opset < 13 ? { inputs: [x], attributes: { axes: [a.length] } } : { inputs: [x, i64([a.length])] },
          ),
        ),
  },
  {
    op: "Unsqueeze",
    opsets: [11, 13],
    dtypes: ["float32", "int64"],
    given: (dtype, opset) =>
      shapes().chain((shape) =>
        fc
          .tuple(tensors(dtype, shape), fc.uniqueArray(fc.integer({ min: 0, max: shape.length + 1 }), { minLength: 2, maxLength: 2 }))
          .map(([x, axes]) => (opset < 13 ? { inputs: [x], attributes: { axes } } : { inputs: [x, i64(axes)] })),
      ),
  },
  {
    op: "Expand",
    opsets: [8, 13],
    dtypes: MOVED,
    given: (dtype) => broadcastable.chain(([a, b]) => tensors(dtype, a).map((x) => ({ inputs: [x, i64(b)] }))),
  },
  {
    op: "Tile",
    opsets: [7, 13],
    dtypes: ["float32", "float64", "int32", "int64", "uint8", "bool"],
    given: (dtype) =>
      shapes(1, 4).chain((shape) =>
        fc
          .tuple(tensors(dtype, shape), fc.array(fc.integer({ min: 0, max: 3 }), { minLength: shape.length, maxLength: shape.length }))
          .map(([x, repeats]) => ({ inputs: [x, i64(repeats)] })),
      ),
  },
  {
    op: "Concat",
    opsets: [7, 13],
    dtypes: MOVED,
    given: (dtype) =>
      shapes(1, 4).chain((shape) =>
        fc
          .tuple(axisOf(shape), fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 3 }))
          .chain(([axis, sizes]) =>
            fc
              .tuple(...sizes.map((size) => tensors(dtype, shape.with(axis, size))))
              .map((inputs) => ({ inputs, attributes: { axis: axis < 0 ? axis + shape.length : axis } })),
          ),
      ),
  },
  {
    op: "Split",
    opsets: [11, 13, 18],
    dtypes: ["float32", "int64", "int32"],
    given: (dtype, opset) =>
      shapes(1, 3).chain((shape) =>
        fc
          .tuple(fc.integer({ min: 0, max: shape.length - 1 }), fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 3 }))
          .chain(([axis, sizes]) => {
            const whole = shape.with(
              axis,
              sizes.reduce((n, size) => n + size, 0),
            );
            return tensors(dtype, whole).map((x) =>
              opset < 13
                ? { inputs: [x], attributes: { axis, split: sizes }, outputs: sizes.length }
                : { inputs: [x, i64(sizes)], attributes: { axis }, outputs: sizes.length },
            );
          }),
      ),
  },
  {
    op: "Slice",
    opsets: [9, 10, 13],
    dtypes: ["float32", "int64", "int32", "uint8"],
    given: (dtype, opset) =>
      shapes(1, 4).chain((shape) =>
        fc
          .tuple(
            tensors(dtype, shape),
            fc.shuffledSubarray([...shape.keys()], { minLength: 1 }),
            fc.array(fc.integer({ min: -6, max: 6 }), { minLength: 4, maxLength: 4 }),
            fc.array(fc.constantFrom(-6, -1, 0, 1, 2, 3, 4, 2 ** 31 - 1), { minLength: 4, maxLength: 4 }),
            fc.array(fc.constantFrom(1, 2, 3, -1, -2), { minLength: 4, maxLength: 4 }),
          )
          .map(([x, axes, from, to, by]) => {
            const [starts, ends, steps] = [from, to, by].map((list) => list.slice(0, axes.length)) as [number[], number[], number[]];
            return opset < 10
              ? { inputs: [x], attributes: { starts, ends, axes } }
              : { inputs: [x, i64(starts), i64(ends), i64(axes), i64(steps)] };
          }),
      ),
  },
  {
    op: "Gather",
    opsets: [7, 13],
    dtypes: MOVED,
    given: (dtype, opset) =>
      shapes(1, 3, 1).chain((shape) =>
        axisOf(shape).chain((axis) => {
          const size = shape.at(axis) as number;
          return fc
            .tuple(
              tensors(dtype, shape),
              shapes(0, 2).chain((to) => tensors("int64", to, fc.integer({ min: opset < 11 ? 0 : -size, max: size - 1 }))),
            )
            .map((inputs) => ({ inputs, attributes: { axis } }));
        }),
      ),
  },
  {
    op: "GatherElements",
    opsets: [11, 13],
    dtypes: ["float32", "int64"],
    given: (dtype) =>
      shapes(1, 3, 1).chain((shape) =>
        fc.tuple(axisOf(shape), fc.integer({ min: 0, max: 3 })).chain(([axis, along]) => {
          const size = shape.at(axis) as number;
          const places = shape.with(axis, along);
          return fc
            .tuple(tensors(dtype, shape), tensors("int64", places, fc.integer({ min: -size, max: size - 1 })))
            .map((inputs) => ({ inputs, attributes: { axis } }));
        }),
      ),
  },
  {
    op: "GatherND",
    opsets: [11, 13],
    dtypes: ["float32", "int64"],
    given: (dtype, opset) =>
      fc
        .tuple(fc.integer({ min: 1, max: 3 }), shapes(3, 4, 2), shapes(0, 2), fc.integer({ min: 0, max: opset < 12 ? 0 : 1 }))
        .chain(([depth, shape, outer, batch]) => {
          const reach = Math.min(depth, shape.length - batch);
          const places = [...shape.slice(0, batch), ...outer, reach];
          return fc
            .tuple(tensors(dtype, shape), tensors("int64", places, fc.integer({ min: -2, max: 1 })))
            .map((inputs) => ({ inputs, attributes: opset < 12 ? {} : { batch_dims: batch } }));
        }),
  },
  {
    op: "ScatterElements",
    opsets: [11, 16, 18],
    dtypes: ["float32", "int64"],
    given: (dtype, opset) =>
      shapes(1, 3, 1).chain((shape) =>
        fc.tuple(axisOf(shape), fc.integer({ min: 0, max: 3 }), reductions(opset)).chain(([axis, along, reduction]) => {
          const size = shape.at(axis) as number;
          const places = shape.with(axis, along);
          return fc
            .tuple(
              tensors(dtype, shape, small()),
              tensors("int64", places, fc.integer({ min: -size, max: size - 1 })),
              tensors(dtype, places, small()),
            )
            .map((inputs) => ({ inputs, attributes: { axis, ...reduction } }));
        }),
      ),
  },
  {
    op: "ScatterND",
    opsets: [11, 16, 18],
    dtypes: ["float32", "int64"],
    given: (dtype, opset) =>
      fc
        .tuple(fc.integer({ min: 1, max: 3 }), shapes(1, 3, 2), shapes(1, 2), reductions(opset))
        .chain(([depth, shape, outer, reduction]) => {
          const reach = Math.min(depth, shape.length);
          return fc
            .tuple(
              tensors(dtype, shape, small()),
              tensors("int64", [...outer, reach], fc.integer({ min: -2, max: 1 })),
              tensors(dtype, [...outer, ...shape.slice(reach)], small()),
            )
            .map((inputs) => ({ inputs, attributes: reduction }));
        }),
  },
  {
    op: "Pad",
    opsets: [9, 11, 18],
    dtypes: ["float32", "int64", "int32"],
    given: (dtype, opset) =>
      opset < 11 && dtype !== "float32"
        ? fc.constant({ inputs: [tensorFrom("float32", [1], [1])], attributes: { pads: [0, 0] } })
        : shapes(1, 3, 3).chain((shape) =>
            fc
              .tuple(
                tensors(dtype, shape),
                fc.array(fc.integer({ min: -1, max: 2 }), { minLength: 2 * shape.length, maxLength: 2 * shape.length }),
                small(),
                fc.boolean(),
              )
              .map(([x, pads, fill, isFilled]) =>
                opset < 11
                  ? { inputs: [x], attributes: { pads, value: { float: fill } } }
                  : { inputs: [x, i64(pads), isFilled ? tensorFrom(dtype, [], [fill]) : undefined] },
              ),
          ),
  },
  {
    op: "Range",
    opsets: [11],
    dtypes: ["float32", "float64", "int32", "int64"],
    given: (dtype) =>
      fc.tuple(small(), small(-9, 30), fc.constantFrom(1, 2, 3, -1, -2)).chain(([start, limit, delta]) => {
        const by = dtype === "float32" || dtype === "float64" ? delta / 10 : delta;
        return fc.constant({ inputs: [start, limit, by].map((x) => tensorFrom(dtype, [], [x])) });
      }),
  },
  {
    op: "ConstantOfShape",
    opsets: [9],
    dtypes: ["float32", "int64", "int32", "bool", "uint8", "float64", "float16"],
    given: (dtype) =>
      shapes().chain((shape) =>
        tensors(dtype, [1]).map((value) => ({
          inputs: [i64(shape)],
          attributes: { value: { tensor: { name: "", data_type: dataType(dtype), dims: [1], data: value.data as Float32Array } } },
        })),
      ),
  },
  { op: "ConstantOfShape", opsets: [9], dtypes: ["float32"], given: () => shapes().map((shape) => ({ inputs: [i64(shape)] })) },
  { op: "Shape", opsets: [7, 15], dtypes: ["float32"], given: one() },
  { op: "Size", opsets: [7], dtypes: ["float32"], given: one() },
  ...["ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin", "ReduceMean"].map(
    (op): FoldCase => ({
      op,
      opsets: [11, 13, 18],
      dtypes: MAIN,
      ulps: 2,
      given: (dtype, opset) =>
        shapes(1, 4, 1).chain((shape) =>
          fc
            .tuple(
              tensors(dtype, shape, op === "ReduceProd" ? fc.constantFrom(1, 1, 1, 2, -1) : small()),
              fc.subarray([...shape.keys()], { minLength: 1 }),
              fc.boolean(),
            )
            .map(([x, axes, keep]) =>
              opset >= (op === "ReduceSum" ? 13 : 18)
                ? { inputs: [x, i64(axes)], attributes: { keepdims: Number(keep) }, mayDecline: op === "ReduceProd" }
                : { inputs: [x], attributes: { axes, keepdims: Number(keep) }, mayDecline: op === "ReduceProd" },
            ),
        ),
    }),
  ),
  ...["ArgMax", "ArgMin"].map(
    (op): FoldCase => ({
      op,
      opsets: [11, 13],
      dtypes: ["float32", "float64", "int32", "uint8", "int8"],
      given: (dtype, opset) =>
        shapes(1, 3, 1).chain((shape) =>
          fc.tuple(tensors(dtype, shape, small(0, 3)), axisOf(shape), fc.boolean(), fc.boolean()).map(([x, axis, keep, last]) => ({
            inputs: [x],
            attributes: { axis, keepdims: Number(keep), ...(opset >= 12 && { select_last_index: Number(last) }) },
          })),
        ),
    }),
  ),
  {
    op: "CumSum",
    opsets: [11, 14],
    dtypes: MAIN,
    given: (dtype) =>
      shapes(1, 3).chain((shape) =>
        fc.tuple(tensors(dtype, shape, small()), axisOf(shape), fc.boolean(), fc.boolean()).map(([x, axis, reverse, exclusive]) => ({
          inputs: [x, i64([axis], [])],
          attributes: { reverse: Number(reverse), exclusive: Number(exclusive) },
        })),
      ),
  },
  {
    op: "Trilu",
    opsets: [14],
    dtypes: ["float32", "int64", "float64", "bool"],
    given: (dtype) =>
      shapes(2, 3, 1).chain((shape) =>
        fc
          .tuple(tensors(dtype, shape), fc.boolean(), small(-3, 3))
          .map(([x, upper, k]) => ({ inputs: [x, i64([k], [])], attributes: { upper: Number(upper) } })),
      ),
  },
  { op: "NonZero", opsets: [9, 13], dtypes: ["float32", "int64", "int32", "bool", "uint8"], given: one(() => small(0, 1)) },
  {
    op: "OneHot",
    opsets: [9, 11],
    dtypes: ["float32", "int64"],
    given: (dtype, opset) =>
      shapes(1, 3).chain((shape) =>
        fc
          .tuple(
            tensors("int64", shape, small(opset < 11 ? 0 : -6, 6)),
            fc.integer({ min: 1, max: 5 }),
            fc.integer({ min: -1, max: shape.length }),
            tensors(dtype, [2]),
          )
          .map(([indices, depth, axis, values]) => ({ inputs: [indices, i64([depth], []), values], attributes: { axis } })),
      ),
  },
  {
    op: "EyeLike",
    opsets: [9],
    dtypes: ["float32", "int64", "int32"],
    given: (dtype) =>
      shapes(2, 2, 1).chain((shape) => fc.tuple(tensors(dtype, shape), small(-3, 3)).map(([x, k]) => ({ inputs: [x], attributes: { k } }))),
  },
  {
    op: "DequantizeLinear",
    opsets: [10, 13, 21],
    dtypes: ["int8", "uint8", "int32"],
    given: (dtype, opset) =>
      shapes(2, 3, 2).chain((shape) =>
        fc
          .tuple(
            fc.integer({ min: 0, max: shape.length - 1 }),
            fc.constantFrom("tensor", ...(opset >= 13 ? ["axis"] : []), ...(opset >= 21 ? ["block"] : [])),
          )
          .chain(([axis, how]) => {
            const scale =
              how === "tensor" ? [] : how === "axis" ? [shape[axis] as number] : shape.with(axis, Math.ceil((shape[axis] as number) / 2));
            const attributes: Record<string, AttributeSpec> = how === "tensor" ? {} : how === "axis" ? { axis } : { axis, block_size: 2 };
            return fc
              .tuple(
                tensors(dtype, shape),
                tensors("float32", scale, fc.float({ min: Math.fround(0.001), max: 2, noNaN: true })),
                tensors(dtype, scale, dtype === "int32" ? fc.constant(0) : undefined),
              )
              .map((inputs) => ({ inputs, attributes }));
          }),
      ),
  },
  {
    op: "MatMul",
    opsets: [9, 13],
    dtypes: MAIN,
    given: (dtype) =>
      fc
        .tuple(
          fc.integer({ min: 1, max: 4 }),
          fc.integer({ min: 1, max: 4 }),
          fc.integer({ min: 1, max: 4 }),
          nonempty,
          fc.constantFrom("matrices", "row", "column"),
        )
        .chain(([m, k, n, [a, b], how]) =>
          fc
            .tuple(
              tensors(dtype, how === "row" ? [k] : [...a, m, k], small()),
              tensors(dtype, how === "column" ? [k] : [...b, k, n], small()),
            )
            .map((inputs) => ({ inputs })),
        ),
  },
];

function reductions(opset: number): fc.Arbitrary<Record<string, AttributeSpec>> {
  if (opset < 16) return fc.constant({});
  return fc.constantFrom("none", "add", "mul", ...(opset >= 18 ? ["max", "min"] : [])).map((reduction) => ({ reduction }));
}
