/** Normalization: the same shape comes out, and sometimes the statistics. */
import { axisOf, dtypeAttribute, int, type Op } from "./op.ts";
import type { Value } from "./value.ts";

const likeFirst: Op = { infer: (_node, [x]) => [{ dtype: x?.dtype, shape: x?.shape }] };

export const GroupNormalization = likeFirst;
export const Hardmax = likeFirst;
export const InstanceNormalization = likeFirst;
export const LogSoftmax = likeFirst;
export const LpNormalization = likeFirst;
export const LRN = likeFirst;
export const MeanVarianceNormalization = likeFirst;
export const RMSNormalization = likeFirst;
export const Softmax = likeFirst;

/** Statistics follow where the node asks for them: mean and variance, and what older opsets save beside them. */
export const BatchNormalization: Op = {
  infer(_node, [x, scale, , mean]) {
    const statistic: Value = { dtype: mean?.dtype ?? scale?.dtype ?? x?.dtype, shape: mean?.shape };
    return [{ dtype: x?.dtype, shape: x?.shape }, statistic, statistic, statistic, statistic];
  },
};

/** Mean and inverse deviation have the type `stash_type` and 1 for the axes from `axis` on. */
export const LayerNormalization: Op = {
  infer(node, [x]) {
    const first = x?.shape && axisOf(int(node, "axis", -1), x.shape.length);
    const shape = first === undefined ? undefined : x?.shape?.map((d, i) => (i < first ? d : 1));
    const statistic: Value = { dtype: dtypeAttribute(node, "stash_type", "float32"), shape };
    return [{ dtype: x?.dtype, shape: x?.shape }, statistic, statistic];
  },
};

/** Stands in ai.onnx though onnxruntime defines it; its output has the scale's type. */
export const SimplifiedLayerNormalization: Op = {
  infer(node, inputs, context) {
    const [y, ...statistics] = LayerNormalization.infer(node, inputs, context);
    return [{ ...y, dtype: inputs[1]?.dtype ?? inputs[0]?.dtype }, ...statistics];
  },
};
