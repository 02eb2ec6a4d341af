/** How what was computed differs from what a conformance case says. */
import { fromBfloat16, fromFloat16 } from "../../src/ops/half.ts";
import { type Datum, isTensor } from "../../src/ops/op.ts";
import type { Tensor } from "../../src/tensor.ts";

/**
 * Cases whose files say uint16 for what the model declares as bfloat16; one that is wrong (https://github.com/onnx/onnx/issues/5398), and
 * two that onnxruntime takes otherwise: there the last element of the output lies on that of the input.
 */
export const LEFT_OUT = /BFLOAT16|maxunpool_export_with_output_shape|resize_downsample_scales_(cubic|linear)_align_corners/;
/** Training stands in a domain of its own. */
export const TRAINING = /adagrad|adam|momentum|gradient_of/;
/** Cases whose elements are random: their types and shapes are compared. */
const RANDOM = /bernoulli|training_dropout(?!.*zero_ratio)/;
/** Cases that say four digits, or whose π has four. */
const ROUGH = /window|gridsample_bicubic|roialign/;

function plain({ dtype, data }: Tensor): unknown[] {
  if (dtype === "float16") return Array.from(data as Uint16Array, fromFloat16);
  return dtype === "bfloat16" ? Array.from(data as Uint16Array, fromBfloat16) : Array.from(data as ArrayLike<unknown>);
}

/** What of a computed output differs from the one a case has. */
export function difference(given: Datum | undefined, expected: Datum | undefined, title: string): string | undefined {
  if (!given || !expected)
    return given === expected ? undefined : `${given ? "a value" : "nothing"} is ${expected ? "a value" : "nothing"}`;
  if (isTensor(given) && isTensor(expected)) return tensorDifference(given, expected, title);
  if ("optional" in given && "optional" in expected) return difference(given.optional, expected.optional, title);
  if (!("sequence" in given && "sequence" in expected)) return "is another kind of value";
  if (given.sequence.length !== expected.sequence.length) return `${given.sequence.length} items are ${expected.sequence.length}`;
  return expected.sequence.map((tensor, i) => difference(given.sequence[i], tensor, title)).find((what) => what);
}

function tensorDifference(given: Tensor, expected: Tensor, title: string): string | undefined {
  if (given.dtype !== expected.dtype || given.shape.join() !== expected.shape.join())
    return `${given.dtype}[${given.shape}] is ${expected.dtype}[${expected.shape}]`;
  if (RANDOM.test(title)) return undefined;
  const [a, b] = [plain(given), plain(expected)];
  const relative = given.dtype === "float16" ? 2e-3 : ROUGH.test(title) ? 1e-3 : 2e-5;
  const isNear = (x: unknown, y: unknown) =>
    Object.is(x, y) || x === y || (typeof x === "number" && typeof y === "number" && Math.abs(x - y) <= 1e-6 + relative * Math.abs(y));
  const isExact = !/float/.test(given.dtype);
  const at = a.findIndex((x, i) => (isExact ? x !== b[i] : !isNear(x, b[i])));
  return a.length === b.length && at < 0 ? undefined : `[${at}] ${a[at]} is ${b[at]}`;
}
