/** What is computed and not folded, or of opsets that no conformance case has, with random inputs that obey the operators' rules. */
import fc from "fast-check";
import { dataType } from "../../src/graph/types.ts";
import type { DType, Tensor } from "../../src/tensor.ts";
import type { AttributeSpec } from "../kit/onnx.ts";
import { broadcastable, i64, shapes, small, tensorFrom, tensors } from "./arbitrary.ts";
import type { FoldCase, Given } from "./fold-cases.ts";

const UNSIGNED: readonly DType[] = ["uint8", "uint16", "uint32", "uint64"];
const INTEGERS: readonly DType[] = [...UNSIGNED, "int8", "int16", "int32", "int64"];

const axisOf = (shape: readonly number[]) => fc.integer({ min: -shape.length, max: shape.length - 1 });
const bool = fc.integer({ min: 0, max: 1 });
const strings = (shape: readonly number[], text: fc.Arbitrary<string>): fc.Arbitrary<Tensor> => {
  const length = shape.reduce((n, d) => n * d, 1);
  return fc.array(text, { minLength: length, maxLength: length }).map((data) => ({ dtype: "string", shape, data }));
};
const words = fc.constantFrom("", "a", "b", "ab", "a b", " a  bc d ", "x,y,,z", "é");
/** Some of the axes, perhaps none. */
const someAxes = (shape: readonly number[]) => fc.shuffledSubarray([...shape.keys()]);

const two = (op: string, opsets: readonly number[], dtypes: readonly DType[], more: Partial<FoldCase> = {}): FoldCase => ({
  op,
  opsets,
  dtypes,
  given: (dtype) => broadcastable.chain(([a, b]) => fc.tuple(tensors(dtype, a), tensors(dtype, b)).map((inputs) => ({ inputs }))),
  ...more,
});

const reduction = (op: string, dtypes: readonly DType[], element: (dtype: DType) => fc.Arbitrary<number> = () => small()): FoldCase => ({
  op,
  // ReduceMax and ReduceMin have their axes as an input from opset 18 on, and bool from 20.
  opsets: [11, 13, 18, 20],
  dtypes,
  ulps: 64,
  given: (dtype, opset) =>
    shapes(1, 3, 1).chain((shape) =>
      fc.tuple(tensors(dtype, shape, element(dtype)), someAxes(shape), bool, bool).map(([x, axes, keepdims, noop]): Given => {
        const isInput = opset >= (op === "ReduceSum" ? 13 : 18);
        if (!isInput) return { inputs: [x], attributes: { keepdims, ...(axes.length > 0 && { axes }) } };
        return { inputs: [x, i64(axes)], attributes: { keepdims, noop_with_empty_axes: axes.length > 0 ? noop : 0 } };
      }),
    ),
});

export const COMPUTES: readonly FoldCase[] = [
  two("BitShift", [11], ["uint8", "uint32", "uint64"], {
    given: (dtype) =>
      fc
        .tuple(broadcastable, fc.constantFrom("LEFT", "RIGHT"))
        .chain(([[a, b], direction]) =>
          fc.tuple(tensors(dtype, a), tensors(dtype, b, small(0, 7))).map((inputs) => ({ inputs, attributes: { direction } })),
        ),
  }),
  ...["BitwiseAnd", "BitwiseOr", "BitwiseXor"].map((op) => two(op, [18], INTEGERS)),
  {
    op: "BitwiseNot",
    opsets: [18],
    dtypes: INTEGERS,
    given: (dtype) => shapes().chain((s) => tensors(dtype, s).map((x) => ({ inputs: [x] }))),
  },
  two("Mean", [8, 13], ["float32"], { ulps: 2 }),
  two("Equal", [19], ["string"], {
    given: () => broadcastable.chain(([a, b]) => fc.tuple(strings(a, words), strings(b, words)).map((inputs) => ({ inputs }))),
  }),
  ...["IsNaN", "IsInf"].map((op) => ({
    op,
    opsets: op === "IsNaN" ? [9, 13, 20] : [10, 20],
    dtypes: ["float32", "float64"] as DType[],
    given: (dtype: DType) => shapes().chain((s) => tensors(dtype, s).map((x) => ({ inputs: [x] }))),
  })),
  {
    op: "IsInf",
    opsets: [10, 20],
    dtypes: ["float32"],
    given: (dtype) =>
      fc
        .tuple(shapes(), bool, bool)
        .chain(([shape, detect_negative, detect_positive]) =>
          tensors(dtype, shape).map((x) => ({ inputs: [x], attributes: { detect_negative, detect_positive } })),
        ),
  },
  ...["Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh"].map((op) => ({
    op,
    opsets: [9],
    dtypes: ["float32"] as DType[],
    ulps: 256,
    given: (dtype: DType) =>
      shapes().chain((s) => tensors(dtype, s, fc.float({ min: -3, max: 3, noNaN: true })).map((x) => ({ inputs: [x] }))),
  })),
  {
    op: "Cast",
    opsets: [13, 19, 21],
    dtypes: ["float32", "float64", "float16"],
    given: (dtype) =>
      fc
        .tuple(shapes(), fc.constantFrom<DType>(...INTEGERS, "bool"))
        .chain(([shape, to]) => tensors(dtype, shape).map((x) => ({ inputs: [x], attributes: { to: dataType(to) } }))),
  },
  {
    op: "Cast",
    opsets: [13],
    dtypes: ["int32", "int64", "uint8"],
    given: (dtype) => shapes().chain((s) => tensors(dtype, s).map((x) => ({ inputs: [x], attributes: { to: dataType("string") } }))),
  },
  {
    op: "Cast",
    opsets: [13],
    dtypes: ["float32", "float64", "int64", "int32"],
    given: (to) =>
      shapes().chain((s) =>
        strings(s, fc.constantFrom("1", "-2", " 7", "+4", to.startsWith("int") ? "9007199" : "3e-2")).map((x) => ({
          inputs: [x],
          attributes: { to: dataType(to) },
        })),
      ),
  },
  ...["ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceMean", "ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin"].map((op) =>
    reduction(op, ["float32", "int32", ...(op === "ReduceSum" || op === "ReduceMax" ? (["int64", "float64"] as DType[]) : [])]),
  ),
  ...["ReduceLogSum", "ReduceLogSumExp"].map((op) => reduction(op, ["float32"], () => small(1, 9))),
  { ...reduction("ReduceMax", ["bool"], () => bool), opsets: [20] },
  {
    op: "Split",
    opsets: [18],
    dtypes: ["float32", "int64"],
    given: (dtype) =>
      shapes(1, 3, 1).chain((shape) =>
        fc
          .tuple(axisOf(shape), fc.integer({ min: 1, max: 3 }))
          .chain(([axis, outputs]) =>
            tensors(dtype, shape.with(axis, 7)).map((x) => ({ inputs: [x], attributes: { axis, num_outputs: outputs }, outputs })),
          ),
      ),
  },
  {
    op: "Pad",
    opsets: [13, 18, 19],
    dtypes: ["float32", "int64", "int32", "uint8"],
    given: (dtype, opset) =>
      shapes(1, 3, 2).chain((shape) =>
        fc
          .tuple(
            fc.constantFrom("reflect", "edge", ...(opset < 19 ? [] : ["wrap"])),
            someAxes(shape),
            fc.array(small(-1, 1), { minLength: 6, maxLength: 6 }),
          )
          .chain(([mode, axes, list]) => {
            const chosen = opset < 18 || axes.length === 0 ? [...shape.keys()] : axes;
            const pads = i64(list.slice(0, 2 * chosen.length).map((n) => (mode === "wrap" ? Math.abs(n) : n)));
            return tensors(dtype, shape).map((x) => ({
              inputs: [x, pads, ...(opset < 18 ? [] : [undefined, i64(chosen)])],
              attributes: { mode },
            }));
          }),
      ),
  },
  {
    op: "CenterCropPad",
    opsets: [18],
    dtypes: ["float32", "int64"],
    given: (dtype) =>
      shapes(1, 3, 1).chain((shape) =>
        someAxes(shape).chain((axes) => {
          const chosen = axes.length === 0 ? [...shape.keys()] : axes;
          return fc
            .tuple(tensors(dtype, shape), fc.array(small(1, 6), { minLength: chosen.length, maxLength: chosen.length }))
            .map(([x, to]) => ({ inputs: [x, i64(to)], attributes: { axes: chosen } }));
        }),
      ),
  },
  {
    op: "Col2Im",
    opsets: [18],
    dtypes: ["float32"],
    given: (dtype) =>
      fc
        .tuple(
          fc.constantFrom([5, 4], [6], [4, 3, 5]),
          small(1, 2),
          fc.array(small(1, 2), { minLength: 3, maxLength: 3 }),
          fc.array(small(1, 2), { minLength: 3, maxLength: 3 }),
          fc.array(small(1, 2), { minLength: 3, maxLength: 3 }),
          fc.array(small(0, 1), { minLength: 6, maxLength: 6 }),
        )
        .chain(([image, channels, blocks, moves, gaps, padding]) => {
          const rank = image.length;
          const [block, strides, dilations] = [blocks, moves, gaps].map((list) => list.slice(0, rank)) as [number[], number[], number[]];
          if (rank !== 2) dilations.fill(1); // onnxruntime dilates images of two dimensions alone
          const pads = padding.slice(0, 2 * rank);
          const windows = image.reduce((n, d, i) => {
            const room = d + (pads[i] as number) + (pads[i + rank] as number) - (dilations[i] as number) * ((block[i] as number) - 1) - 1;
            return n * (Math.floor(room / (strides[i] as number)) + 1);
          }, 1);
          const area = block.reduce((n, d) => n * d, 1);
          return tensors(dtype, [2, channels * area, windows], small()).map((x) => ({
            inputs: [x, i64(image), i64(block)],
            attributes: { strides, dilations, pads },
          }));
        }),
  },
  ...(["ScatterND", "ScatterElements"] as const).map(
    (op): FoldCase => ({
      op,
      opsets: [16, 18],
      dtypes: ["float32", "int32", "int64"],
      given: (dtype, opset) =>
        fc
          .tuple(
            fc.constantFrom("none", "add", "mul", ...(opset < 18 ? [] : ["max", "min"])),
            fc.uniqueArray(small(-3, 2), { minLength: 1 }),
          )
          .chain(([reduction, chosen]) => {
            const unique = chosen.filter((i) => i >= 0 || !chosen.includes(i + 3));
            const rows = reduction === "none" ? unique : chosen;
            const updates = [rows.length, 2];
            const places =
              op === "ScatterND"
                ? i64(rows, [rows.length, 1])
                : i64(
                    rows.flatMap((i) => [i, i]),
                    updates,
                  );
            return fc
              .tuple(tensors(dtype, [3, 2], small()), tensors(dtype, updates, small()))
              .map(([x, y]) => ({ inputs: [x, places, y], attributes: { reduction } }));
          }),
    }),
  ),
  ...[10, 11].map(
    (opset): FoldCase => ({
      op: "TopK",
      opsets: [opset],
      dtypes: opset < 11 ? ["float32", "float64"] : ["float32", "float64", "int64", "int32"],
      given: (dtype) =>
        shapes(1, 3, 1).chain((shape) =>
          axisOf(shape).chain((axis) =>
            fc
              .tuple(tensors(dtype, shape, small(-3, 3)), fc.integer({ min: 1, max: shape.at(axis) as number }), bool)
              .map(([x, k, largest]) => ({
                inputs: [x, i64([k])],
                attributes: { axis, ...(opset >= 11 && { largest, sorted: 1 }) },
                outputs: 2,
              })),
          ),
        ),
    }),
  ),
  {
    op: "Unique",
    opsets: [11],
    dtypes: ["float32", "float64", "int64", "int8", "string"],
    given: (dtype) =>
      shapes(1, 3, 1).chain((shape) =>
        fc
          .tuple(dtype === "string" ? strings(shape, words) : tensors(dtype, shape, small(-1, 1)), fc.option(axisOf(shape)), bool)
          .map(([x, axis, sorted]) => ({ inputs: [x], attributes: { sorted, ...(axis !== null && { axis }) }, outputs: 4 })),
      ),
  },
  {
    op: "Compress",
    opsets: [11],
    dtypes: ["float32", "int64", "bool"],
    given: (dtype) =>
      shapes(1, 3, 1).chain((shape) =>
        fc.option(axisOf(shape)).chain((axis) => {
          const most = axis === null ? shape.reduce((n, d) => n * d, 1) : (shape.at(axis) as number);
          return fc
            .tuple(tensors(dtype, shape), fc.integer({ min: 1, max: most }))
            .chain(([x, length]) =>
              tensors("bool", [length], bool).map((condition) => ({ inputs: [x, condition], attributes: axis === null ? {} : { axis } })),
            );
        }),
      ),
  },
  {
    op: "ReverseSequence",
    opsets: [10],
    dtypes: ["float32", "int64"],
    given: (dtype) =>
      shapes(2, 4, 1).chain((shape) =>
        fc.constantFrom([0, 1], [1, 0]).chain(([batch_axis = 0, time_axis = 0]) => {
          const lengths = fc.array(fc.integer({ min: 0, max: shape[time_axis] as number }), {
            minLength: shape[batch_axis] as number,
            maxLength: shape[batch_axis] as number,
          });
          return fc
            .tuple(tensors(dtype, shape), lengths)
            .map(([x, list]) => ({ inputs: [x, i64(list)], attributes: { batch_axis, time_axis } }));
        }),
      ),
  },
  ...(["ArgMax", "ArgMin"] as const).map(
    (op): FoldCase => ({
      op,
      opsets: [13],
      dtypes: ["float32", "int32", "uint8"],
      given: (dtype) =>
        shapes(1, 3, 1).chain((shape) =>
          fc
            .tuple(tensors(dtype, shape, small(0, 2)), axisOf(shape), bool, bool)
            .map(([x, axis, keepdims, select_last_index]) => ({ inputs: [x], attributes: { axis, keepdims, select_last_index } })),
        ),
    }),
  ),
  {
    op: "DFT",
    opsets: [17, 20],
    dtypes: ["float32"],
    ulps: 1 << 12,
    given: (dtype, opset) =>
      fc
        .tuple(small(1, 2), small(1, 12), small(1, 3), small(1, 2), small(1, 2), small(0, 2), fc.option(small(1, 14)))
        .chain(([batch, length, more, parts, axis, how, size]) => {
          const attributes: Record<string, AttributeSpec> = {
            onesided: how === 1 && parts === 1 ? 1 : 0,
            inverse: how === 2 && parts === 2 ? 1 : 0,
          };
          const dft = size === null ? undefined : i64([size], []);
          return tensors(dtype, [batch, length, more, parts], small()).map((x) =>
            opset < 20 ? { inputs: [x, dft], attributes: { ...attributes, axis } } : { inputs: [x, dft, i64([axis], [])], attributes },
          );
        }),
  },
  {
    op: "STFT",
    opsets: [17],
    dtypes: ["float32"],
    ulps: 1 << 12,
    given: (dtype) =>
      fc.tuple(small(1, 2), small(8, 20), small(1, 4), small(2, 8), bool, bool).chain(([batch, length, step, frame, onesided, windowed]) =>
        fc.tuple(tensors(dtype, [batch, length, 1], small()), tensors(dtype, [frame], small(1, 3))).map(([x, window]) => ({
          inputs: [x, i64([step], []), windowed ? window : undefined, i64([frame], [])],
          attributes: { onesided },
        })),
      ),
  },
  ...["HannWindow", "HammingWindow", "BlackmanWindow"].map(
    (op): FoldCase => ({
      op,
      opsets: [17],
      dtypes: ["float32", "float64"],
      ulps: 64,
      given: (dtype) =>
        fc
          .tuple(small(2, 20), bool)
          .map(([size, periodic]) => ({ inputs: [i64([size], [])], attributes: { periodic, output_datatype: dataType(dtype) } })),
    }),
  ),
  {
    op: "MelWeightMatrix",
    opsets: [17],
    dtypes: ["float32"],
    ulps: 64,
    given: () =>
      fc.tuple(small(1, 12), fc.constantFrom(16, 64, 128), fc.constantFrom(4000, 8000)).map(([bins, size, rate]) => ({
        inputs: [i64([bins], []), i64([size], []), i64([rate], []), tensorFrom("float32", [], [20]), tensorFrom("float32", [], [rate / 2])],
      })),
  },
  {
    op: "StringConcat",
    opsets: [20],
    dtypes: ["string"],
    given: () => broadcastable.chain(([a, b]) => fc.tuple(strings(a, words), strings(b, words)).map((inputs) => ({ inputs }))),
  },
  {
    op: "StringSplit",
    opsets: [20],
    dtypes: ["string"],
    given: () =>
      fc.tuple(fc.constantFrom("", ",", "b"), fc.option(small(0, 3)), shapes(1, 2, 1)).chain(([delimiter, maxsplit, shape]) =>
        strings(shape, words).map((x) => ({
          inputs: [x],
          attributes: { ...(delimiter && { delimiter }), ...(maxsplit !== null && { maxsplit }) },
          outputs: 2,
        })),
      ),
  },
];
