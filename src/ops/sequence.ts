/** Sequences and optionals: of their items, what all have in common is known. */
import { either } from "./control.ts";
import { axisOf, dtypeAttribute, int, type Op, subgraph } from "./op.ts";
import type { TypeAndShape, Value } from "./value.ts";

const itemOf = ({ dtype, shape }: TypeAndShape): TypeAndShape => ({ dtype, shape });

export const SequenceConstruct: Op = {
  infer(_node, inputs, context) {
    const [first, ...rest] = inputs.map((value): Value => itemOf(value ?? {}));
    return [{ item: rest.reduce((a, b) => either(a, b, context), first ?? {}) }];
  },
};

export const SequenceEmpty: Op = { infer: (node) => [{ item: { dtype: dtypeAttribute(node, "dtype", "float32") } }] };
export const SequenceAt: Op = { infer: (_node, [sequence]) => [sequence?.item ?? {}] };
export const SequenceErase: Op = { infer: (_node, [sequence]) => [{ item: sequence?.item }] };
export const SequenceInsert: Op = {
  infer: (_node, [sequence, tensor]) => [{ item: { dtype: sequence?.item?.dtype ?? tensor?.dtype } }],
};
export const SequenceLength: Op = { infer: () => [{ dtype: "int64", shape: [] }] };

/** The body sees one item of each sequence; its outputs are gathered in sequences. */
export const SequenceMap: Op = {
  infer(node, inputs, context) {
    const body = subgraph(node, "body");
    const items = inputs.map((value): Value => itemOf(value?.item ?? value ?? {}));
    return body ? context.graph(body, items).map((value) => ({ item: itemOf(value) })) : [];
  },
};

export const SplitToSequence: Op = {
  infer(node, [x, split], context) {
    const axis = x?.shape && axisOf(int(node, "axis", 0), x.shape.length);
    const isDropped = split === undefined && int(node, "keepdims", 1) === 0;
    const shape =
      axis === undefined ? undefined : x?.shape?.flatMap((d, i) => (i !== axis ? [d] : isDropped ? [] : [split ? context.symbol() : 1]));
    return [{ item: { dtype: x?.dtype, shape } }];
  },
};

export const ConcatFromSequence: Op = {
  infer(node, [sequence], context) {
    const { dtype, shape } = sequence?.item ?? {};
    const isNew = int(node, "new_axis", 0) !== 0;
    const axis = shape && axisOf(int(node, "axis", 0), shape.length + (isNew ? 1 : 0));
    if (!shape || axis === undefined) return [{ dtype }];
    return [{ dtype, shape: [...shape.slice(0, axis), context.symbol(), ...shape.slice(isNew ? axis : axis + 1)] }];
  },
};

export const Optional: Op = { infer: (_node, [value]) => [value ? { item: value.item ?? itemOf(value) } : {}] };
/** Up to opset 17 of an optional, then of a tensor or sequence too, which it hands on. */
export const OptionalGetElement: Op = { infer: (_node, [value]) => [value?.item ?? itemOf(value ?? {})] };
export const OptionalHasElement: Op = { infer: () => [{ dtype: "bool", shape: [] }] };
