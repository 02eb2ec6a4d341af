import { describe, expect, test } from "vitest";
import { numbersOf } from "../../src/ops/elements.ts";
import { type Datum, isTensor } from "../../src/ops/op.ts";
import type { Tensor } from "../../src/tensor.ts";
import { CONFORMANCE, CONFORMANCE_PACKAGE, conformanceCases } from "../kit/conformance.ts";
import { interpret } from "../kit/interpreter.ts";
import { needs } from "../kit/require.ts";

/** Operators that some case asks for and that are not computed yet. */
// biome-ignore format: one a line
const MISSING = new Set([
  "Acos",
  "Acosh",
  "Asin",
  "Asinh",
  "Atan",
  "Atanh",
  "AveragePool",
  "BatchNormalization",
  "Bernoulli",
  "BitShift",
  "BlackmanWindow",
  "Cast",
  "CastLike",
  "Celu",
  "Compress",
  "Conv",
  "ConvInteger",
  "ConvTranspose",
  "Cos",
  "Cosh",
  "DFT",
  "DepthToSpace",
  "Det",
  "Dropout",
  "DynamicQuantizeLinear",
  "Einsum",
  "Elu",
  "Erf",
  "GRU",
  "Gemm",
  "GlobalAveragePool",
  "GlobalMaxPool",
  "GridSample",
  "HammingWindow",
  "HannWindow",
  "HardSigmoid",
  "HardSwish",
  "Hardmax",
  "Identity",
  "If",
  "InstanceNormalization",
  "IsInf",
  "IsNaN",
  "LRN",
  "LSTM",
  "LayerNormalization",
  "LeakyRelu",
  "LogSoftmax",
  "Loop",
  "MatMulInteger",
  "MaxPool",
  "MaxUnpool",
  "Mean",
  "MeanVarianceNormalization",
  "MelWeightMatrix",
  "NegativeLogLikelihoodLoss",
  "NonMaxSuppression",
  "OptionalGetElement",
  "OptionalHasElement",
  "PRelu",
  "Pad",
  "QLinearConv",
  "QLinearMatMul",
  "QuantizeLinear",
  "RNN",
  "RandomUniformLike",
  "ReduceL1",
  "ReduceL2",
  "ReduceLogSum",
  "ReduceLogSumExp",
  "ReduceSumSquare",
  "Resize",
  "ReverseSequence",
  "RoiAlign",
  "STFT",
  "Scan",
  "Selu",
  "SequenceConstruct",
  "SequenceEmpty",
  "SequenceInsert",
  "SequenceLength",
  "SequenceMap",
  "Shape",
  "Shrink",
  "Sigmoid",
  "Sin",
  "Sinh",
  "Size",
  "Softmax",
  "SoftmaxCrossEntropyLoss",
  "Softplus",
  "Softsign",
  "SpaceToDepth",
  "SplitToSequence",
  "StringNormalizer",
  "Tan",
  "Tanh",
  "TfIdfVectorizer",
  "ThresholdedRelu",
  "TopK",
  "Unique",
  "Upsample",
]);

/** Cases that cannot be told right from wrong, or are none of ours. */
const EXCEPT: readonly (readonly [RegExp, string])[] = [
  [/BFLOAT16/, "the files say uint16 for what the model declares as bfloat16"],
  [/adagrad|adam|momentum|gradient_of/, "training stands in a domain of its own"],
];

/** Cases whose elements are random. */
const RANDOM = /bernoulli|training_dropout(?!.*zero_ratio)/;

/** A model of more bytes has weights that the graph does not hold. */
const MAX_MODEL = 1 << 21;

const isNear = (a: unknown, b: unknown, tolerance: number): boolean =>
  Object.is(a, b) || a === b || (typeof a === "number" && typeof b === "number" && Math.abs(a - b) <= tolerance * (0.1 + Math.abs(b)));

function differentTensor(a: Tensor, b: Tensor, isRandom: boolean): string | undefined {
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) return `${a.dtype}[${a.shape}] for ${b.dtype}[${b.shape}]`;
  if (isRandom) return undefined;
  const [x = [], y = []] = [a, b].map((tensor): readonly unknown[] => Array.from(numbersOf(tensor) ?? (tensor.data as readonly unknown[])));
  const tolerance = b.dtype.endsWith("float16") ? 2e-3 : b.dtype.startsWith("float") ? 1e-5 : 0;
  const at = x.length === y.length ? x.findIndex((element, i) => !isNear(element, y[i], tolerance)) : 0;
  return at < 0 ? undefined : `${x[at]} for ${y[at]} at ${at} of ${y.length}`;
}

/** What is not as it must be. */
function different(a: Datum | undefined, b: Datum | undefined, isRandom = false): string | undefined {
  if (!a || !b) return a === b ? undefined : `${a && "a value"} for ${b && "a value"}`;
  if (isTensor(a) && isTensor(b)) return differentTensor(a, b, isRandom);
  if ("optional" in a && "optional" in b) return different(a.optional, b.optional);
  if (!("sequence" in a && "sequence" in b)) return "another kind of value";
  if (a.sequence.length !== b.sequence.length) return `${a.sequence.length} items for ${b.sequence.length}`;
  return b.sequence.map((tensor, i) => different(a.sequence[i], tensor)).find((what) => what);
}

describe.skipIf(!needs(CONFORMANCE, CONFORMANCE_PACKAGE))("the conformance cases of ONNX", () => {
  test("are computed", async () => {
    const failures: string[] = [];
    const missing = new Set<string>();
    let passed = 0;
    for (const { name, model, inputs, outputs } of conformanceCases()) {
      if (model.length > MAX_MODEL || EXCEPT.some(([pattern]) => pattern.test(name))) continue;
      try {
        const computed = await interpret(model, inputs);
        const what = outputs.map((real, i) => different(computed[i], real, RANDOM.test(name))).find((each) => each);
        if (what) failures.push(`${name}: ${what}`);
        else passed++;
      } catch (error) {
        const [, operator] = /^(\w+) has no result/.exec((error as Error).message) ?? [];
        if (operator && MISSING.has(operator)) missing.add(operator);
        else failures.push(`${name}: ${(error as Error).message}`);
      }
    }
    expect(failures).toEqual([]);
    expect([...MISSING].filter((operator) => !missing.has(operator))).toEqual([]);
    expect(passed).toBeGreaterThan(400);
  }, 120_000);
});
