/** Operators with subgraphs. */
import type { Graph, Node } from "../graph/graph.ts";
import { arrayOf } from "../tensor.ts";
import { same } from "./dims.ts";
import { int64s } from "./elements.ts";
import { sliceAt, stacked } from "./layout.ts";
import { axisOf, type Context, type ControlContext, type Datum, int, isTensor, numbers, type Op, subgraph } from "./op.ts";
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
  async control(node, [condition], context) {
    const graph = isTensor(condition) ? subgraph(node, condition.data[0] ? "then_branch" : "else_branch") : undefined;
    return isTensor(condition) && condition.data.length === 1 && graph ? context.graph(graph, []) : undefined;
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
    return [...states, ...outputs.slice(initial.length).map((row) => grown(row, context.symbol(), 0))];
  },
  async control(node, [count, condition, ...initial], context) {
    const body = subgraph(node, "body");
    if (!body || [count, condition].some((x) => x && (!isTensor(x) || x.data.length !== 1))) return undefined;
    const most = isTensor(count) ? Number(count.data[0]) : Number.POSITIVE_INFINITY;
    let goes: Datum | undefined = condition ?? { dtype: "bool", shape: [], data: Uint8Array.of(1) };
    let states: Data = initial;
    const rows: Data[] = [];
    for (let turn = 0; turn < most && isTensor(goes) && goes.data[0]; turn++) {
      const outputs = await context.graph(body, [int64s([], [turn]), goes, ...states]);
      goes = outputs[0];
      states = outputs.slice(1, initial.length + 1);
      rows.push(outputs.slice(initial.length + 1));
    }
    return gathered(states, rows, context.outputs.slice(states.length), () => 0);
  },
};

type Data = readonly (Datum | undefined)[];

/** The outputs after the last turn: states, and the rows of all turns together. Rows that no turn made are told by what is known of them. */
function gathered(
  states: Data,
  rows: readonly Data[],
  known: readonly TypeAndShape[],
  axisAt: (i: number, rank: number) => number | undefined,
): Data | undefined {
  const made = known.map(({ dtype, shape = [0] }, i) => {
    const parts = rows.map((row) => row[i]);
    const rank = isTensor(parts[0]) ? parts[0].shape.length + 1 : shape.length;
    const axis = axisAt(i, rank);
    if (axis === undefined || !parts.every(isTensor)) return undefined;
    if (parts.length > 0) return stacked(parts, axis);
    const sizes = shape.map((d, at) => (at === axis || typeof d !== "number" ? 0 : d));
    return dtype && dtype !== "string" ? { dtype, shape: sizes, data: arrayOf(dtype, new Uint8Array(0)) } : undefined;
  });
  return made.includes(undefined) ? undefined : [...states, ...made];
}

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
    const rows = outputs.slice(initial.length).map((row, i) => grown(row, length ?? context.symbol(), outputAxes?.[i] ?? 0));
    return [...states, ...rows];
  },
  async control(node, inputs, context) {
    if (context.opset >= 9) return scanned(node, inputs, context, "scan_input_directions");
    const [lengths, ...batched] = inputs;
    const [first] = batched;
    if (lengths || !isTensor(first) || !batched.every(isTensor)) return undefined;
    const outputs: (Data | undefined)[] = [];
    for (let at = 0; at < (first.shape[0] ?? 0); at++) {
      const batch = batched.map((x) => (at < (x.shape[0] ?? 0) ? sliceAt(x, 0, at) : undefined));
      outputs.push(await scanned(node, batch, context, "directions"));
    }
    if (outputs.includes(undefined)) return undefined;
    return gathered([], outputs as Data[], context.outputs, () => 0);
  },
};

/** Runs the body on each slice of the scan inputs. */
async function scanned(node: Node, inputs: Data, context: ControlContext, directions: string): Promise<Data | undefined> {
  const body = subgraph(node, "body");
  const split = inputs.length - int(node, "num_scan_inputs", 0);
  const [from, to, backwards, outwards] = ["scan_input_axes", "scan_output_axes", directions, "scan_output_directions"].map((name) =>
    numbers(node, name),
  );
  const sources = inputs.slice(Math.max(0, split)).map((x, i) => {
    const axis = isTensor(x) ? axisOf(from?.[i] ?? 0, x.shape.length) : undefined;
    return isTensor(x) && axis !== undefined ? { x, axis, length: x.shape[axis] as number, isBackwards: backwards?.[i] === 1 } : undefined;
  });
  const length = sources[0]?.length;
  if (!body || split < 0 || length === undefined || sources.some((source) => source?.length !== length)) return undefined;
  let states: Data = inputs.slice(0, split);
  const rows: Data[] = [];
  for (let turn = 0; turn < length; turn++) {
    const slices = sources.map((source) => source && sliceAt(source.x, source.axis, source.isBackwards ? length - 1 - turn : turn));
    const outputs = await context.graph(body, [...states, ...slices]);
    states = outputs.slice(0, split);
    rows.push(outputs.slice(split));
  }
  const ordered = rows.map((row, turn) => row.map((x, i) => (outwards?.[i] === 1 ? rows[length - 1 - turn]?.[i] : x)));
  return gathered(states, ordered, context.outputs.slice(split), (i, rank) => axisOf(to?.[i] ?? 0, rank));
}

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

function grown({ dtype, shape }: TypeAndShape, length: Dim, at: number): Value {
  const axis = shape && axisOf(at, shape.length + 1);
  return { dtype, shape: axis === undefined ? undefined : [...(shape ?? []).slice(0, axis), length, ...(shape ?? []).slice(axis)] };
}
