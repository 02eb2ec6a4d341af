/**
 * Float operators of com.microsoft, which onnxruntime and its tools write:
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
import { Conv } from "./conv.ts";
import * as create from "./create.ts";
import { quotient } from "./dims.ts";
import { Gemm, matmulShape } from "./linear.ts";
import { dtypeAttribute, int, type Op } from "./op.ts";
import { Pad as pad } from "./pad.ts";
import { MaxPool } from "./pool.ts";
import { GridSample as gridSample } from "./regions.ts";
import { GatherND as gatherND, Trilu as trilu } from "./select.ts";
import type { Dim, Dims } from "./value.ts";

const likeFirst: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }] };
const typeOfFirst: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype }] };
const tokens: Op = { infer: (node) => node.output.map((_, i) => (i === 0 ? { dtype: "int32" } : {})) };

export const BiasAdd = likeFirst;
export const BiasGelu = likeFirst;
export const BiasSoftmax = likeFirst;
export const ComplexMul = likeFirst;
export const ComplexMulConj = likeFirst;
export const FastGelu = likeFirst;
export const Gelu = likeFirst;
export const GroupNorm = likeFirst;
export const Inverse = likeFirst;
export const MoE = likeFirst;
export const NGramRepeatBlock: Op = { infer: (_node, [, scores]) => [{ dtype: scores?.dtype, shape: scores?.shape }] };
export const QuickGelu = likeFirst;

export const AttnLSTM: Op = { infer: (node, [x]) => node.output.map(() => ({ dtype: x?.dtype })) };
export const ConvTransposeWithDynamicPads = typeOfFirst;
export const ExpandDims = typeOfFirst;
export const GemmFastGelu = typeOfFirst;
export const Irfft = typeOfFirst;
export const Rfft = typeOfFirst;
export const SampleOp = likeFirst;
export const SparseToDenseMatMul: Op = { infer: (_node, [, b]) => [{ dtype: b?.dtype }] };
export const UnfoldTensor = typeOfFirst;
export const WordConvEmbedding: Op = { infer: (_node, [, w]) => [{ dtype: w?.dtype }] };

export const BeamSearch = tokens;
export const GreedySearch = tokens;
export const Sampling = tokens;
export const WhisperBeamSearch = tokens;

export const FusedConv = Conv;
export const FusedGemm = Gemm;
export const GatherND = gatherND;
export const GridSample = gridSample;
export const MaxpoolWithMask = MaxPool;
export const Pad = pad;
export const Range = create.Range;
export const Trilu = trilu;

export const GemmFloat8: Op = {
  infer: (node, inputs, context) => [{ ...Gemm.infer(node, inputs, context)[0], dtype: dtypeAttribute(node, "dtype", "float32") }],
};
export const IsAllFinite: Op = { infer: () => [{ dtype: "bool", shape: [] }] };
export const Tokenizer: Op = { infer: () => [{ dtype: "string" }] };
export const MurmurHash3: Op = { infer: (node, [x]) => [{ dtype: int(node, "positive", 1) ? "uint32" : "int32", shape: x?.shape }] };
export const CDist: Op = {
  infer: (_node, [a, b]) => [{ dtype: a?.dtype, shape: a?.shape && b?.shape && [a.shape[0] as Dim, b.shape[0] as Dim] }],
};

/** `transBatchA` says that A's rows are its first axis, before those of the batch. */
export const FusedMatMul: Op = {
  infer(node, [a, b], context) {
    const turned = (shape: Dims | undefined, which: string): Dims | undefined => {
      if (!shape || shape.length < 2) return shape;
      const [batch, rows, columns] = int(node, `transBatch${which}`, 0)
        ? [shape.slice(1, -1), shape[0], shape.at(-1)]
        : [shape.slice(0, -2), shape.at(-2), shape.at(-1)];
      return [...batch, ...((int(node, `trans${which}`, 0) ? [columns, rows] : [rows, columns]) as Dim[])];
    };
    return [{ dtype: a?.dtype, shape: matmulShape(turned(a?.shape, "A"), turned(b?.shape, "B"), context) }];
  },
};
export const FusedMatMulActivation = FusedMatMul;
export const TransposeMatMul = FusedMatMul;

/** Half of the last axis gates the other. */
export const BiasSplitGelu: Op = {
  infer(_node, [x], context) {
    const half = x?.shape?.length ? quotient([x.shape.at(-1) as Dim], [2], context) : undefined;
    return [{ dtype: x?.dtype, shape: half === undefined ? undefined : [...(x?.shape ?? []).slice(0, -1), half] }];
  },
};

export const BiasDropout: Op = {
  infer: (_node, [x]) => [
    { dtype: x?.dtype, shape: x?.shape },
    { dtype: "bool", shape: x?.shape },
  ],
};

export const SkipGroupNorm: Op = { infer: (_node, [x]) => Array.from({ length: 2 }, () => ({ dtype: x?.dtype, shape: x?.shape })) };

/** Values, which of them each element is, and how many of each. */
export const Unique: Op = {
  infer(_node, [x], context) {
    const count = context.symbol();
    return [
      { dtype: x?.dtype, shape: [count] },
      { dtype: "int64", shape: x?.shape },
      { dtype: "int64", shape: [count] },
    ];
  },
};

export const CropAndResize: Op = {
  infer: (_node, [x, rois], context) => [
    {
      dtype: x?.dtype,
      shape: [rois?.shape?.[0] ?? context.symbol(), x?.shape?.[1] ?? context.symbol(), context.symbol(), context.symbol()],
    },
  ],
};
