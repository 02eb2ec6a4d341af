/** Operators with subgraphs. */
import type { Graph } from "../graph/graph.ts";
import { same } from "./dims.ts";
import { axisOf, type Context, int, numbers, type Op, subgraph } from "./op.ts";
import type { Dim, TypeAndShape, Value } from "./value.ts";

/** What two values have in common, of which one is taken at run time. */
export function either(a: Value, b: Value, context: Context): Value {
  const shape = a.shape?.length === b.shape?.length ? a.shape?.map((d, i) => (d === b.shape?.[i] ? d : context.symbol())) : undefined;
  return {
    dtype: a.dtype === b.dtype ? a.dtype : undefined,
    shape: b.shape && shape,
    item: a.item && b.item && either(a.item, b.item, context),
  };
}

/** Both branches read the outer scope only; where the condition is known, one is taken. */
export const If: Op = {
  infer(node, [condition], context) {
    const [yes, no] = ["then_branch", "else_branch"].map((name) => {
      const graph = subgraph(node, name);
      return graph ? context.graph(graph, []) : [];
    }) as [readonly Value[], readonly Value[]];
    const known = condition?.constant?.data;
    if (known?.length === 1) return known[0] ? yes : no;
    return node.output.map((_, i) => either(yes[i] ?? {}, no[i] ?? {}, context));
  },
};

/** Times that a body is looked at for shapes that stay the same from turn to turn; the last time none is assumed. */
const MAX_TURNS = 3;

/** Type and shape without elements: those of the first turn are not those of the others. */
const loose = ({ dtype, shape, item }: Value): Value => ({ dtype, shape, item });

/**
 * Runs a body whose outputs are the states of its next turn. A state keeps its shape where a turn keeps it. In a loop within
 * loops no shape is assumed, so that bodies are not looked at more and more often.
 */
function turns(
  body: Graph,
  initial: readonly Value[],
  run: (states: readonly Value[]) => readonly Value[],
  context: Context,
): { states: readonly Value[]; outputs: readonly Value[] } {
  const isDeep = body.parent?.parent?.parent !== undefined;
  let states = initial.map((value) => (isDeep ? { dtype: value.dtype } : loose(value)));
  for (let turn = 1; ; turn++) {
    const outputs = run(states);
    const next = states.map((state, i) => either(state, outputs[i] ?? {}, context));
    const changed = next.map((value, i) => {
      const shape = states[i]?.shape;
      return shape !== undefined && !shape.every((d, axis) => d === value.shape?.[axis]);
    });
    if (isDeep || !changed.includes(true)) return { states: next, outputs };
    states = states.map((state, i) => (changed[i] || turn === MAX_TURNS - 1 ? { dtype: state.dtype } : state));
  }
}

/** Inputs trip count, condition, states; the body's are the turn, the condition, states. Outputs are states, then a row of each turn. */
export const Loop: Op = {
  infer(node, inputs, context) {
    const body = subgraph(node, "body");
    if (!body) return [];
    const turn: Value = { dtype: "int64", shape: [] };
    const condition: Value = { dtype: "bool", shape: [] };
    const initial = inputs.slice(2).map((value) => value ?? {});
    const run = (states: readonly Value[]) => context.graph(body, [turn, condition, ...states]).slice(1);
    const { states, outputs } = turns(body, initial, run, context);
    return [...states, ...outputs.slice(initial.length).map((row) => stacked(row, context.symbol(), 0))];
  },
};

/** The body sees one slice of each scan input, and its further outputs are stacked. https://onnx.ai/onnx/operators/onnx__Scan.html */
export const Scan: Op = {
  infer(node, inputs, context) {
    const body = subgraph(node, "body");
    const count = int(node, "num_scan_inputs", 0);
    if (!body || context.opset < 9) return scanOutputs(body, context);
    const split = Math.max(0, inputs.length - count);
    const initial = inputs.slice(0, split).map((value) => value ?? {});
    const axes = numbers(node, "scan_input_axes");
    const scanned = inputs.slice(split).map((value, i) => unstacked(value ?? {}, axes?.[i] ?? 0));
    const length = scanned
      .map(({ length }) => length)
      .reduce((a, b) => (a !== undefined && b !== undefined ? same(a, b) : (a ?? b)), undefined);
    const run = (states: readonly Value[]) => context.graph(body, [...states, ...scanned.map(({ slice }) => slice)]);
    const { states, outputs } = turns(body, initial, run, context);
    const outputAxes = numbers(node, "scan_output_axes");
    const rows = outputs.slice(initial.length).map((row, i) => stacked(row, length ?? context.symbol(), outputAxes?.[i] ?? 0));
    return [...states, ...rows];
  },
};

/** Opset 8 has a batch axis and lengths as its first input: types alone are told. */
function scanOutputs(body: Graph | undefined, context: Context): readonly Value[] {
  return body ? context.graph(body, []).map(({ dtype }) => ({ dtype })) : [];
}

function unstacked({ dtype, shape }: TypeAndShape, at: number): { slice: Value; length: Dim | undefined } {
  const axis = shape && axisOf(at, shape.length);
  return {
    slice: { dtype, shape: axis === undefined ? undefined : shape?.filter((_, i) => i !== axis) },
    length: axis === undefined ? undefined : shape?.[axis],
  };
}

function stacked({ dtype, shape }: TypeAndShape, length: Dim, at: number): Value {
  const axis = shape && axisOf(at, shape.length + 1);
  return { dtype, shape: axis === undefined ? undefined : [...(shape ?? []).slice(0, axis), length, ...(shape ?? []).slice(axis)] };
}
