/** Optimizes small graphs, and judges what came out by onnxruntime: outputs must be as before, to the last digits. */
import { expect } from "vitest";
import { compress, type Report, UnsupportedError } from "../../src/index.ts";
import { type Feeds, type TensorValue, tokens } from "../kit/models.ts";
import { DataType, encodeModel, type GraphSpec, type NodeSpec, randn, type TensorSpec, type ValueSpec, value } from "../kit/onnx.ts";
import { EXACT, type Outputs, runNode } from "../kit/ort.ts";
import { type DecodedModel, everyGraph, readOnnx } from "../kit/readonnx.ts";

export const { FLOAT, INT64, BOOL, FLOAT16, INT32 } = DataType;

/** A graph of float inputs and outputs. */
export interface Small {
  nodes: readonly NodeSpec[];
  initializers?: readonly TensorSpec[];
  /** float32 inputs by name with their shapes, or whole. */
  inputs: Record<string, readonly (number | string)[]> | readonly ValueSpec[];
  /** Names of float32 outputs of unknown shapes, or whole. */
  outputs: readonly (string | ValueSpec)[];
}

export interface Options {
  opset?: number;
  ir_version?: number;
  /** Inputs that are not random float32. */
  feeds?: Feeds;
  /** What a named dimension is when it runs. */
  sizes?: Record<string, number>;
  /** Whether outputs are compared: not of what is random. */
  runs?: boolean;
}

export interface Optimized {
  /** Operators of the main graph before and after, in order. */
  before: string[];
  after: string[];
  /** Whether the recipe was refused, since there is nothing to do. */
  unchanged: boolean;
  model: DecodedModel;
  source: DecodedModel;
  report: Report | undefined;
  outputs: Outputs;
}

export const graphOf = ({ nodes, initializers = [], inputs, outputs }: Small): GraphSpec => ({
  nodes,
  initializers,
  inputs: Array.isArray(inputs) ? inputs : Object.entries(inputs).map(([name, dims]) => value(name, FLOAT, dims)),
  outputs: outputs.map((each) => (typeof each === "string" ? value(each, FLOAT) : each)),
});

/** Random numbers for each input that `feeds` has none for. */
function feedsOf(inputs: readonly ValueSpec[], initializers: readonly TensorSpec[], { feeds = {}, sizes = {} }: Options): Feeds {
  const defaults = new Set(initializers.map(({ name }) => name));
  const own = inputs.filter(({ name }) => !feeds[name] && !defaults.has(name));
  const random = own.map(({ name, data_type, dims = [] }, i): [string, TensorValue] => {
    const shape = dims.map((d) => (typeof d === "number" ? d : (sizes[d] ?? 3)));
    const count = shape.reduce((a, b) => a * b, 1);
    return [name, data_type === INT64 ? tokens(shape, 3, i + 1) : { type: "float32", dims: shape, data: randn(count, i + 1) }];
  });
  return { ...Object.fromEntries(random), ...feeds };
}

const operators = ({ nodes }: DecodedModel): string[] => nodes.map(({ op_type }) => op_type);

/** Expects equal outputs: float32 within 1e-5 of the largest element, others the same. */
export function expectEqual(actual: Outputs, expected: Outputs): void {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [name, { data, dims, type }] of Object.entries(expected)) {
    const got = actual[name] as Outputs[string];
    expect([got.type, got.dims], name).toEqual([type, dims]);
    if (!(data instanceof Float32Array)) expect(got.data, name).toEqual(data);
    else {
      const largest = data.reduce((a, x) => Math.max(a, Math.abs(x)), 1e-30);
      const far = data.findIndex((x, i) => !(Math.abs(x - Number(got.data[i])) <= 1e-5 * largest) && !Object.is(x, got.data[i]));
      expect(far, `${name}[${far}] is ${got.data[far]} instead of ${data[far]}`).toBe(-1);
    }
  }
}

/** Optimizes a graph; what the result gives must be what the source gives. */
export async function optimized(small: Small, options: Options = {}): Promise<Optimized> {
  const { opset = 13, ir_version, runs = true } = options;
  const graph = graphOf(small);
  const source = encodeModel({ graph, opsets: { "": opset }, ...(ir_version && { ir_version }) });
  const { readable, report } = compress(source, { optimize: true });
  const result = await new Response(readable).arrayBuffer().then(
    (buffer) => new Uint8Array(buffer),
    (error: unknown) => {
      if (error instanceof UnsupportedError && /change nothing/.test(error.message)) return undefined;
      throw error;
    },
  );
  const bytes = result ?? source;
  let outputs: Outputs = {};
  if (runs) {
    const feeds = feedsOf(graph.inputs, graph.initializers ?? [], options);
    outputs = await runNode(bytes, feeds, EXACT);
    expectEqual(outputs, await runNode(source, feeds, { graphOptimizationLevel: "disabled" }));
  }
  const [before, after] = [readOnnx(source), readOnnx(bytes)];
  checkNames(after);
  return {
    before: operators(before),
    after: operators(after),
    unchanged: result === undefined,
    source: before,
    model: after,
    report: result && (await report),
    outputs,
  };
}

/** Every initializer of the main graph is read, or given out. */
function checkNames(model: DecodedModel): void {
  const read = new Set(
    [...everyGraph(model)].flatMap(({ nodes, outputs }) => [...nodes.flatMap(({ inputs }) => inputs), ...outputs.map(({ name }) => name)]),
  );
  const inputs = new Set(model.inputs.map(({ name }) => name));
  expect([...model.initializers.keys()].filter((name) => !read.has(name) && !inputs.has(name))).toEqual([]);
}

/** Expects a graph to come out with these operators in its main graph. */
export async function expectOperators(small: Small, after: string, options: Options = {}): Promise<Optimized> {
  const made = await optimized(small, options);
  expect(made.after.join(" ")).toBe(after);
  return made;
}

/** Expects a graph to stay as it is. */
export async function expectUnchanged(small: Small, options: Options = {}): Promise<void> {
  const made = await optimized(small, options);
  expect(made.after.join(" ")).toBe(made.before.join(" "));
  expect(made.model.nodes).toEqual(made.source.nodes);
}
