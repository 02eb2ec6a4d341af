/** Sequences and optionals: of their items, what all have in common is known. */
import type { Tensor } from "../tensor.ts";
import { one } from "./compute.ts";
import { either } from "./control.ts";
import { int64s } from "./elements.ts";
import { joined, runOf, sliceAt, stacked } from "./layout.ts";
import { axisOf, type Datum, dtypeAttribute, int, isTensor, type Op, subgraph } from "./op.ts";
import type { TypeAndShape, Value } from "./value.ts";

const itemOf = ({ dtype, shape }: TypeAndShape): TypeAndShape => ({ dtype, shape });

export const SequenceConstruct: Op = {
  infer(_node, inputs, context) {
    const [first, ...rest] = inputs.map((value): Value => itemOf(value ?? {}));
    return [{ item: rest.reduce((a, b) => either(a, b, context), first ?? {}) }];
  },
  compute: (_node, inputs) => (inputs.every(isTensor) ? [{ sequence: inputs }] : undefined),
};

/** The items of a sequence, and a place among them: `absent` where none is given. Undefined where there is no place such as that. */
function at(sequence: Datum | undefined, position: Datum | undefined, absent: number, more = 0) {
  if (!sequence || !("sequence" in sequence) || (position && !isTensor(position))) return undefined;
  const items = sequence.sequence;
  const place = Number(position ? position.data[0] : absent);
  const index = place < 0 ? place + items.length : place;
  return index >= 0 && index < items.length + more ? { items, index } : undefined;
}

export const SequenceEmpty: Op = {
  infer: (node) => [{ item: { dtype: dtypeAttribute(node, "dtype", "float32") } }],
  compute: () => [{ sequence: [] }],
};
export const SequenceAt: Op = {
  infer: (_node, [sequence]) => [sequence?.item ?? {}],
  compute(_node, [sequence, position]) {
    const found = at(sequence, position, 0);
    return found && [found.items[found.index]];
  },
};
export const SequenceErase: Op = {
  infer: (_node, [sequence]) => [{ item: sequence?.item }],
  compute(_node, [sequence, position]) {
    const found = at(sequence, position, -1);
    return found && [{ sequence: found.items.toSpliced(found.index, 1) }];
  },
};
export const SequenceInsert: Op = {
  infer: (_node, [sequence, tensor]) => [{ item: { dtype: sequence?.item?.dtype ?? tensor?.dtype } }],
  compute(_node, [sequence, tensor, position]) {
    const found = at(sequence, position, sequence && "sequence" in sequence ? sequence.sequence.length : 0, 1);
    return found && isTensor(tensor) ? [{ sequence: found.items.toSpliced(found.index, 0, tensor) }] : undefined;
  },
};
export const SequenceLength: Op = {
  infer: () => [{ dtype: "int64", shape: [] }],
  compute: (_node, [sequence]) => (sequence && "sequence" in sequence ? [int64s([], [sequence.sequence.length])] : undefined),
};

/** The body sees one item of each sequence; its outputs are gathered in sequences. */
export const SequenceMap: Op = {
  infer(node, inputs, context) {
    const body = subgraph(node, "body");
    const items = inputs.map((value): Value => itemOf(value?.item ?? value ?? {}));
    return body ? context.graph(body, items).map((value) => ({ item: itemOf(value) })) : [];
  },
  async control(node, inputs, context) {
    const body = subgraph(node, "body");
    const [first] = inputs;
    if (!body || !first || !("sequence" in first)) return undefined;
    const rows: (readonly (Datum | undefined)[])[] = [];
    for (const i of first.sequence.keys()) {
      const items = inputs.map((x) => (x && "sequence" in x ? x.sequence[i] : x));
      rows.push(await context.graph(body, items));
    }
    const columns = node.output.map((_, i) => rows.map((row) => row[i]));
    return columns.every((column) => column.every(isTensor)) ? columns.map((column) => ({ sequence: column as Tensor[] })) : undefined;
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
  /** A scalar says how long each item is, the last may be shorter. */
  compute: (node, [x, split]) => {
    const axis = isTensor(x) ? axisOf(int(node, "axis", 0), x.shape.length) : undefined;
    if (!isTensor(x) || axis === undefined || (split && !isTensor(split))) return undefined;
    const size = x.shape[axis] as number;
    if (!split && int(node, "keepdims", 1) === 0) return [{ sequence: Array.from({ length: size }, (_, i) => sliceAt(x, axis, i)) }];
    const given = Array.from((split?.data ?? [1]) as ArrayLike<number | bigint>, Number);
    const [each = 0] = given;
    const isEven = !split || split.shape.length === 0;
    if (given.some((n) => n < 0) || (isEven && each === 0)) return undefined;
    const sizes = isEven ? Array.from({ length: Math.ceil(size / each) }, (_, i) => Math.min(each, size - i * each)) : given;
    let start = 0;
    const sequence = sizes.map((n) => {
      start += n;
      return start <= size ? runOf(x, axis, start - n, n) : undefined;
    });
    return start === size ? [{ sequence: sequence as Tensor[] }] : undefined;
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
  compute(node, [sequence]) {
    const items = sequence && "sequence" in sequence ? sequence.sequence : [];
    const isNew = int(node, "new_axis", 0) !== 0;
    const axis = axisOf(int(node, "axis", 0), (items[0]?.shape.length ?? 0) + (isNew ? 1 : 0));
    return axis === undefined ? undefined : one((isNew ? stacked : joined)(items, axis));
  },
};

export const Optional: Op = {
  infer: (_node, [value]) => [value ? { item: value.item ?? itemOf(value) } : {}],
  compute: (_node, [value]) => [{ optional: value && "optional" in value ? value.optional : value }],
};
/** Up to opset 17 of an optional, then of a tensor or sequence too, which it hands on. */
export const OptionalGetElement: Op = {
  infer: (_node, [value]) => [value?.item ?? itemOf(value ?? {})],
  compute(_node, [value]) {
    const element = value && "optional" in value ? value.optional : value;
    return element && [element];
  },
};
export const OptionalHasElement: Op = {
  infer: () => [{ dtype: "bool", shape: [] }],
  compute(_node, [value]) {
    const has = value && "optional" in value ? value.optional : value;
    return [{ dtype: "bool", shape: [], data: Uint8Array.of(has ? 1 : 0) }];
  },
};
