/**
 * Float operators of com.microsoft, which onnxruntime and its tools write:
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
import * as create from "./create.ts";
import { quotient } from "./dims.ts";
import { Gemm } from "./linear.ts";
import { dtypeAttribute, int, type Op } from "./op.ts";
import { Pad as pad } from "./pad.ts";
import { MaxPool } from "./pool.ts";
import { GridSample as gridSample } from "./regions.ts";
import { GatherND as gatherND, Trilu as trilu } from "./select.ts";
import type { Dim } from "./value.ts";

const likeFirst: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }] };
const typeOfFirst: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype }] };
const tokens: Op = { infer: (node) => node.output.map((_, i) => (i === 0 ? { dtype: "int32" } : {})) };

export const BiasAdd = likeFirst;
export const BiasSoftmax = likeFirst;
export const ComplexMul = likeFirst;
export const ComplexMulConj = likeFirst;
export const GroupNorm = likeFirst;
export const MoE = likeFirst;

export const AttnLSTM: Op = { infer: (node, [x]) => node.output.map(() => ({ dtype: x?.dtype })) };
export const ConvTransposeWithDynamicPads = typeOfFirst;
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

export const CropAndResize: Op = {
  infer: (_node, [x, rois], context) => [
    {
      dtype: x?.dtype,
      shape: [rois?.shape?.[0] ?? context.symbol(), x?.shape?.[1] ?? context.symbol(), context.symbol(), context.symbol()],
    },
  ],
};
