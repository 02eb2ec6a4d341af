/** Operators on pairs of elements, whose tensors are broadcast. */
import type { Node } from "../graph/graph.ts";
import { type DType, isFloat, type Tensor } from "../tensor.ts";
import { castTo, converted } from "./cast.ts";
import { ofKnown, one } from "./compute.ts";
import { broadcast, computed, product } from "./dims.ts";
import { type Each, eachOf, eachPair, foldPairs } from "./each.ts";
import { larger, smaller } from "./elements.ts";
import { type Context, type FoldContext, type Inputs, int, type Op } from "./op.ts";
import { type Dim, elementsOf, type Value } from "./value.ts";

const dtypeOf = (inputs: Inputs) => inputs.find((value) => value?.dtype)?.dtype;
const shapeOf = (inputs: Inputs, context: Context) =>
  broadcast(
    inputs.map((value) => value?.shape),
    context,
  );

/** A function of what is known of two elements; undefined where it is not known. */
type Known = (a: Dim | undefined, b: Dim | undefined, context: Context) => Dim | undefined;

/** What is known of the elements of integer tensors. */
function elementsBy(known: Known | undefined, inputs: Inputs, context: Context): Value["elements"] {
  const [a, b] = inputs.map((value) => ((value?.shape?.length ?? 2) <= 1 ? elementsOf(value) : undefined));
  if (!known || !a || !b || (a.length !== b.length && a.length !== 1 && b.length !== 1)) return undefined;
  const length = a.length === 0 || b.length === 0 ? 0 : Math.max(a.length, b.length);
  return Array.from({ length }, (_, i) => known(usable(a[a.length === 1 ? 0 : i]), usable(b[b.length === 1 ? 0 : i]), context));
}

const usable = (d: Dim | undefined): Dim | undefined => (typeof d === "number" && !Number.isSafeInteger(d) ? undefined : d);

interface Rules {
  /** The output's type, where it is not that of the inputs. */
  dtype?: DType;
  fold?: Each<"two">;
  compute?: Op["compute"];
  known?: Known;
}

/** Tensors in that are broadcast, one out. */
export const pairs = ({ dtype, fold, compute, known }: Rules): Op => ({
  infer: (_node, inputs, context) => [
    { dtype: dtype ?? dtypeOf(inputs), shape: shapeOf(inputs, context), elements: elementsBy(known, inputs, context) },
  ],
  ...(fold && { fold: foldPairs(fold) }),
  ...(compute && { compute }),
});

const isNumber = (dtype: DType) => dtype !== "bool";
const isBool = (dtype: DType) => dtype === "bool";

/** Whether it cannot be negative: names are of dimensions. */
const isCount = (d: Dim): boolean => typeof d === "string" || d >= 0;

/** Two whole numbers are folded; names are told apart by `named`. */
const arithmetic =
  (f: (a: number, b: number) => number, named: (a: Dim, b: Dim, context: Context) => Dim | undefined): Known =>
  (a, b, context) => {
    if (a === undefined || b === undefined) return undefined;
    if (typeof a === "string" || typeof b === "string") return named(a, b, context);
    const result = f(a, b);
    return Number.isSafeInteger(result) ? result : undefined;
  };

export const Add = pairs({
  fold: { number: (a, b) => a + b, bigint: (a, b) => a + b, accepts: isNumber },
  known: arithmetic(
    (a, b) => a + b,
    (a, b, context) => {
      if (a === 0 || b === 0) return a === 0 ? b : a;
      return isCount(a) && isCount(b) ? context.symbol(`sum(${[a, b].sort().join()})`) : undefined;
    },
  ),
});

export const Sub = pairs({
  fold: { number: (a, b) => a - b, bigint: (a, b) => a - b, accepts: isNumber },
  known: arithmetic(
    (a, b) => a - b,
    (a, b) => (b === 0 ? a : a === b ? 0 : undefined),
  ),
});

export const Mul = pairs({
  fold: { number: (a, b) => a * b, integer: Math.imul, bigint: (a, b) => a * b, accepts: isNumber },
  known: arithmetic(
    (a, b) => a * b,
    (a, b, context) => (isCount(a) && isCount(b) ? product([a, b], context) : undefined),
  ),
});

/** Integers are cut towards zero. */
export const Div = pairs({
  fold: {
    number: (a, b) => a / b,
    integer: (a, b) => (b === 0 ? undefined : Math.trunc(a / b)),
    bigint: (a, b) => (b === 0n ? undefined : a / b),
    accepts: isNumber,
  },
  known: arithmetic(
    (a, b) => (b === 0 ? Number.NaN : Math.trunc(a / b)),
    (a, b, context) => {
      if (b === 1) return a;
      return typeof a === "string" && typeof b === "number" && b > 0 ? computed(`div/${b}`, [a], context, () => undefined) : undefined;
    },
  ),
});

/** The sign is the divisor's, or with `fmod` the dividend's. */
const remainder = (a: number, b: number): number | undefined => (b === 0 ? undefined : ((a % b) + b) % b);
const bigRemainder = (a: bigint, b: bigint): bigint | undefined => (b === 0n ? undefined : ((a % b) + b) % b);

/** As C's fmod has it, which works with doubles. */
const cRemainder = (a: bigint, b: bigint): bigint | undefined =>
  b === 0n || [a, b].some((x) => !Number.isSafeInteger(Number(x))) ? undefined : a % b;

function modulo(node: Node, [a, b]: readonly (Tensor | undefined)[], y: FoldContext["outputs"][0] | undefined, cBig: typeof cRemainder) {
  const isC = int(node, "fmod", 0) !== 0;
  if (!a || !b || !y || (isFloat(a.dtype) && !isC)) return undefined;
  const each: Each<"two"> = isC
    ? { number: (p, q) => p % q, integer: (p, q) => (q === 0 ? undefined : p % q), bigint: cBig }
    : { number: () => undefined, integer: remainder, bigint: bigRemainder };
  return one(eachPair(a, b, y.dtype, y.shape, each));
}

export const Mod: Op = {
  ...pairs({}),
  fold: (node, inputs, { outputs: [y] }) => modulo(node, inputs, y, cRemainder),
  compute: ofKnown((node, inputs, { outputs: [y] }) => modulo(node, inputs, y, (a, b) => (b === 0n ? undefined : a % b))),
};

export const Max = pairs({ fold: { number: Math.max, bigint: larger, accepts: isNumber } });
export const Min = pairs({ fold: { number: Math.min, bigint: smaller, accepts: isNumber } });

const sum = { number: (a: number, b: number) => a + b, accepts: isFloat };
export const Sum = pairs({ fold: sum });
export const Mean = pairs({
  compute: ofKnown((node, inputs, context) => {
    const [total] = foldPairs(sum)(node, inputs, context) ?? [];
    const mean = total && eachOf(total, total.dtype, { number: (x) => x / inputs.length });
    return mean && [mean];
  }),
});

/** The exponent may have another type. */
export const Pow: Op = {
  infer: (_node, inputs, context) => [{ dtype: inputs[0]?.dtype, shape: shapeOf(inputs, context) }],
  fold: (_node, inputs, { outputs: [y] }) => raised(inputs, y, castTo),
  compute: ofKnown((_node, inputs, { outputs: [y] }) => raised(inputs, y, converted)),
};

function raised(inputs: readonly (Tensor | undefined)[], y: FoldContext["outputs"][0] | undefined, cast: typeof castTo) {
  const [base, power] = inputs.map((tensor) => tensor && castTo(tensor, "float64"));
  const result = base && power && y && eachPair(base, power, "float64", y.shape, { number: Math.pow });
  return result && one(cast(result, y.dtype));
}

export const And = pairs({ dtype: "bool", fold: { number: (a, b) => a & b, accepts: isBool } });
export const Or = pairs({ dtype: "bool", fold: { number: (a, b) => a | b, accepts: isBool } });
export const Xor = pairs({ dtype: "bool", fold: { number: (a, b) => a ^ b, accepts: isBool } });

const comparison = (f: (a: number | bigint, b: number | bigint) => boolean, known?: Known): Op => {
  const compare = (a: number | bigint, b: number | bigint) => (f(a, b) ? 1 : 0);
  return pairs({ dtype: "bool", fold: { number: compare, bigint: compare }, ...(known && { known }) });
};

/** A dimension equals itself, and no number below zero. */
const equal = comparison(
  (a, b) => a === b,
  (a, b) => {
    if (a === undefined || b === undefined) return undefined;
    if (a === b) return 1;
    if (typeof a === "number" && typeof b === "number") return 0;
    return (typeof a === "number" && a < 0) || (typeof b === "number" && b < 0) ? 0 : undefined;
  },
);

/** Texts are compared by the places where they last stand. */
export const Equal: Op = {
  ...equal,
  compute: ofKnown((node, inputs, context) => {
    const all = inputs.flatMap((x) => (x?.dtype === "string" ? (x.data as readonly string[]) : []));
    const places = new Map(all.map((each, i) => [each, i]));
    const numbered = inputs.map((x): Tensor | undefined =>
      x?.dtype === "string"
        ? { dtype: "int32", shape: x.shape, data: Int32Array.from(x.data as readonly string[], (each) => places.get(each) as number) }
        : x,
    );
    return equal.fold?.(node, numbered, context);
  }),
};
export const Greater = comparison((a, b) => a > b);
export const GreaterOrEqual = comparison((a, b) => a >= b);
export const Less = comparison((a, b) => a < b);
export const LessOrEqual = comparison((a, b) => a <= b);
