import { UnsupportedError } from "../errors.ts";
import { describe, type Graph, type Node, reads, topological } from "../graph/graph.ts";
import { constantOf } from "../ops/fold.ts";
import { inferGraph } from "../ops/infer.ts";
import { type Datum, isTensor } from "../ops/op.ts";
import { isStatic, type Value } from "../ops/value.ts";
import { byteLength, type DType, type Tensor, tensorBytes } from "../tensor.ts";
import { evaluate, evaluateControl } from "./evaluate.ts";
import { ALIGN, type Buffer, place } from "./layout.ts";
import { lowering } from "./lower/index.ts";
import type { Call } from "./lower/lower.ts";
import { type Placed, runMoved } from "./moved.ts";
import type { Operand } from "./operand.ts";
import type { Program } from "./program.ts";
import type { Run } from "./run.ts";
import { isReshape, shareInPlace } from "./sharing.ts";

/** Plans of a graph that are kept for inputs of other shapes. */
const MAX_PLANS = 8;

/** What runs a node. */
export interface Step {
  readonly node: Node;
  /** Whether a kernel does, and not the plain computation. */
  readonly isKernel: boolean;
  run(run: Run): void | Promise<void>;
}

/** Types and shapes of what a plan is made for; undefined for what is no tensor of numbers. */
export type Given = Pick<Operand, "dtype" | "shape"> | undefined;

export const givenOf = (datum: Datum | undefined): Given => (isTensor(datum) && datum.dtype !== "string" ? datum : undefined);

const keyOf = (given: readonly Given[]): string => given.map((x) => (x ? `${x.dtype}[${x.shape}]` : "")).join();

/** Plans of a graph by what they are given. */
export class Plans {
  readonly #plans = new Map<string, Plan>();

  get(given: readonly Given[], make: () => Plan): Plan {
    const key = keyOf(given);
    const plan = this.#plans.get(key) ?? make();
    this.#plans.delete(key);
    this.#plans.set(key, plan);
    if (this.#plans.size > MAX_PLANS) this.#plans.delete(this.#plans.keys().next().value as string);
    return plan;
  }
}

/**
 * A graph laid out for inputs of certain shapes: every value whose shape is known has its place in one arena, and every node is a step with
 * fixed addresses. What depends on data (a NonZero, say, and what reads it) is held outside and computed as it comes.
 */
export class Plan {
  readonly #program: Program;
  readonly #graph: Graph;
  readonly #parent: Plan | undefined;
  readonly #values: ReadonlyMap<string, Value>;
  readonly #fixed = new Map<string, Tensor>();
  readonly #operands = new Map<string, Operand>();
  readonly #data = new Map<string, Datum | undefined>();
  /** The run that the values outside are of, and their bytes. */
  #run: Run | undefined;
  #outside = 0;
  readonly #inner = new Map<Graph, Plans>();
  readonly #steps: Step[] = [];
  /** Small constants that kernels read, written before each run: other plans share the arena. */
  readonly #preloads: { of: unknown; address: number; bytes: Uint8Array }[] = [];
  readonly #base: number;
  /** The first byte behind the arena. */
  #top: number;
  /** What the arena is for, in the words of an error. */
  readonly #what: string;

  constructor(program: Program, graph: Graph, given: readonly Given[], base: number, parent?: Plan) {
    this.#program = program;
    this.#graph = graph;
    this.#parent = parent;
    this.#base = base;
    this.#top = base;
    this.#values = this.#infer(given);
    const nodes = this.#needed();
    const buffers = this.#buffers(nodes, given);
    const [name, largest] = [...buffers].reduce((a, b) => (b[1].bytes > a[1].bytes ? b : a), ["", { bytes: 0 }]);
    this.#what = this.#described(name, nodes);
    this.#reserve(largest.bytes); // before anything is made that is as large
    this.#setOperands(buffers);
    // A first look tells what each step needs besides.
    const temporaries = nodes.map((node, step): Buffer[] => {
      const own: Buffer[] = [];
      const temporary = (bytes: number) => own.push({ bytes, first: step, last: step, address: 0 }) * 0;
      this.#lowered(node, { temporary, table: () => 0 });
      return own;
    });
    this.#preloads.length = 0;
    this.#top = base + place([...new Set(buffers.values()), ...temporaries.flat()]);
    this.#setOperands(buffers);
    nodes.forEach((node, step) => {
      const own = temporaries[step]?.values();
      const temporary = () => base + (own?.next().value?.address ?? 0);
      this.#lower(node, { temporary, table: (values) => this.#preload(new Uint8Array(values.buffer), undefined) });
    });
  }

  /** Makes room for values from the plan's base on. */
  #reserve(bytes: number): void {
    const { arena } = this.#program.kernels;
    arena.reset(this.#base);
    arena.alloc(bytes, this.#what);
  }

  #described(name: string, nodes: readonly Node[]): string {
    const { dtype, shape } = this.#values.get(name) ?? {};
    const node = nodes.find(({ output }) => output.includes(name));
    return name && ` for the model's values, the largest of which is '${name}': ${dtype}[${shape}]${node ? ` of ${describe(node)}` : ""}`;
  }

  #setOperands(buffers: ReadonlyMap<string, Buffer>): void {
    for (const [name, { address }] of buffers) {
      const { dtype, shape } = this.#values.get(name) as { dtype: DType; shape: readonly number[] };
      this.#operands.set(name, { dtype, shape, address: this.#base + address });
    }
  }

  /** Bytes of the arena, with those of the graph around. */
  get top(): number {
    return this.#top;
  }

  async run(inputs: readonly (Datum | undefined)[], run: Run): Promise<(Datum | undefined)[]> {
    for (const step of this.start(inputs, run)) {
      const rest = step.run(run) ?? run.pause();
      if (rest) await rest;
    }
    return this.finish();
  }

  /** Puts the inputs in their places; the steps are then to be run in order. */
  start(inputs: readonly (Datum | undefined)[], run: Run): readonly Step[] {
    const { arena } = this.#program.kernels;
    this.#reserve(this.#top - this.#base);
    this.#data.clear();
    if (this.#run === run) run.take(-this.#outside);
    [this.#run, this.#outside] = [run, 0];
    this.#graph.inputs.forEach((name, i) => {
      const operand = this.#operands.get(name);
      const datum = inputs[i];
      if (operand && isTensor(datum)) this.#write(operand, datum);
      else if (datum) this.#data.set(name, datum); // up to IR version 3 a constant is an input that nobody gives
    });
    for (const { address, bytes } of this.#preloads) arena.u8(address, bytes.byteLength).set(bytes);
    return this.#steps;
  }

  /** The results, which outlive what was run. */
  finish(): (Datum | undefined)[] {
    return this.#results.map((name) => this.#kept(this.#datum(name)));
  }

  /** What a run gives. Outputs that are only observed need not last until then. */
  get #results(): readonly string[] {
    const { document, outputs } = this.#program.prepared;
    return this.#graph === document.main ? outputs : this.#graph.outputs;
  }

  /** Tensors among the graph's outputs that a node, whose step has just run, has made. */
  *observed({ output }: Node): Generator<[string, Tensor]> {
    for (const name of output) {
      const datum = name && this.#graph.outputs.includes(name) ? this.#datum(name) : undefined;
      if (isTensor(datum)) yield [name, datum];
    }
  }

  /** What is known of each value that the graph needs. */
  #infer(given: readonly Given[]): ReadonlyMap<string, Value> {
    const { known } = this.#program.prepared;
    const graph = this.#graph;
    const told = new Map(graph.inputs.map((name, i) => [name, given[i]] as const));
    const value = (home: Graph, name: string): Value | undefined => {
      if (home === graph && told.get(name)) return told.get(name) as Value;
      const declared = known.value(home, name);
      // What a file says of shapes between its nodes need not hold for these inputs.
      return declared && (home.inputs.includes(name) || home.initializers.includes(name)) ? declared : { dtype: declared?.dtype };
    };
    return inferGraph(graph, { ...known, value }, (name) => this.#parent?.value(name)).get(graph) as ReadonlyMap<string, Value>;
  }

  /** What is known of a value that the graph or one around it gives. */
  value(name: string): Value | undefined {
    return this.#values.get(name) ?? this.#parent?.value(name);
  }

  /** The nodes that outputs depend on, in order, but those that constants stand for. */
  #needed(): Node[] {
    const wanted = new Set(this.#graph.outputs);
    const nodes: Node[] = [];
    for (const node of topological(this.#graph).reverse()) {
      const outputs = node.output.filter((name) => name && wanted.has(name));
      if (outputs.length === 0) continue;
      if (outputs.every((name) => this.#program.held(this.#graph, name) || this.#fix(name))) continue;
      for (const name of reads(node)) wanted.add(name);
      nodes.push(node);
    }
    return nodes.reverse();
  }

  /** Takes note of a value that is known whole before the run. */
  #fix(name: string): boolean {
    const value = this.#values.get(name);
    const tensor = value && constantOf(value);
    if (tensor) this.#fixed.set(name, tensor);
    return tensor !== undefined;
  }

  /** A buffer for every value whose type and shape are known; several names may share one. */
  #buffers(nodes: readonly Node[], given: readonly Given[]): ReadonlyMap<string, Buffer> {
    const buffers = new Map<string, Buffer>();
    const make = (name: string, step: number): void => {
      const { dtype, shape } = this.#values.get(name) ?? {};
      if (!name || !dtype || !isStatic(shape)) return;
      buffers.set(name, { bytes: byteLength(dtype, shape), first: step, last: step, address: 0 });
    };
    this.#graph.inputs.forEach((name, i) => {
      if (given[i]) make(name, -1);
    });
    nodes.forEach((node, step) => {
      const isPlaced = node.graphs.length === 0 && node.input.every((name) => !name || buffers.has(name) || this.#isThere(name));
      const outputs = node.output.filter((name) => name && !this.#fixed.has(name));
      const isKnown = outputs.every((name) => {
        const { dtype, shape } = this.#values.get(name) ?? {};
        return dtype !== undefined && dtype !== "string" && isStatic(shape);
      });
      const source = buffers.get(node.input[0] as string);
      if (isPlaced && isKnown && source && this.#isReshape(node)) buffers.set(outputs[0] as string, source);
      else if (isPlaced && isKnown) for (const name of outputs) make(name, step);
      for (const name of reads(node)) {
        const buffer = buffers.get(name);
        if (buffer) buffer.last = step;
      }
    });
    for (const name of this.#results) {
      const buffer = buffers.get(name);
      if (buffer) buffer.last = nodes.length;
    }
    shareInPlace(buffers, nodes);
    return buffers;
  }

  #isReshape(node: Node): boolean {
    const { shape } = this.#values.get(node.input[0] as string) ?? {};
    return isStatic(shape) && isReshape(node, shape);
  }

  /** Whether a value is in the memory, or will be, without being one of this plan's buffers. */
  #isThere(name: string): boolean {
    if (this.#fixed.has(name)) return true;
    const held = this.#program.held(this.#graph, name);
    if (held) return held.info.dtype !== "string";
    const outer = this.#outer(name);
    return outer !== undefined && (outer.#operands.has(name) || outer.#isThere(name));
  }

  /** The plan around, for a name that is not of this graph. */
  #outer(name: string): Plan | undefined {
    return this.#values.has(name) ? undefined : this.#parent;
  }

  /** Where a value lies that is in the memory. */
  #operand(name: string, node?: Node, index?: number): Operand | undefined {
    const own = this.#operands.get(name);
    if (own) return own;
    const fixed = this.#fixed.get(name);
    if (fixed) return this.#preloaded(fixed);
    const held = this.#program.held(this.#graph, name);
    const operand = held && this.#program.operand(held, node, index);
    if (operand) return { ...operand, constant: this.value(name)?.constant };
    const outer = this.#outer(name);
    return outer ? outer.#operand(name) : undefined;
  }

  /** Gives a small constant a place of its own. */
  #preloaded(tensor: Tensor): Operand {
    const bytes = tensorBytes(tensor);
    const found = this.#preloads.find((preload) => preload.of === tensor);
    return { dtype: tensor.dtype, shape: tensor.shape, address: found?.address ?? this.#preload(bytes, tensor), constant: tensor };
  }

  #preload(bytes: Uint8Array, of: unknown): number {
    const address = this.#top;
    this.#top += Math.ceil(bytes.byteLength / ALIGN) * ALIGN;
    this.#preloads.push({ of, address, bytes });
    return address;
  }

  /** Adds the step of a node. */
  #lower(node: Node, room: Pick<Call, "temporary" | "table">): void {
    const [x = ""] = node.input;
    const [y = ""] = node.output;
    const operand = this.#operands.get(y);
    const isThere = operand && this.#isReshape(node) && this.#operands.get(x)?.address === operand.address;
    if (isThere && !this.#graph.outputs.includes(y)) return;
    const step = isThere ? () => {} : this.#lowered(node, room);
    this.#steps.push({ node, isKernel: step !== undefined, run: step ?? ((run) => this.#evaluate(node, run)) });
  }

  /** What runs a node by kernels; undefined where none does, or where it stands on what is not in the memory. */
  #lowered(node: Node, room: Pick<Call, "temporary" | "table">): (() => void) | undefined {
    const lower = lowering(node);
    const names = node.output.map((name) => (name && !this.#fixed.has(name) ? name : ""));
    const outputs = names.map((name) => this.#operands.get(name));
    const isPlaced =
      names.every((name, i) => !name || outputs[i]) && node.input.every((name) => !name || this.#operands.has(name) || this.#isThere(name));
    if (!lower || !isPlaced) return undefined;
    const inputs = node.input.map((name, i) => (name ? this.#operand(name, node, i) : undefined));
    const { prepared, kernels, work } = this.#program;
    const opset = prepared.known.opsets.get(node.domain) ?? 1;
    return lower({ node, opset, inputs, outputs, fn: kernels.fn, arena: kernels.arena, work, ...room });
  }

  /** Runs a node on values that are outside, where kernels can. */
  #moved(node: Node): boolean {
    const inputs: (Placed | undefined)[] = [];
    for (const [i, name] of node.input.entries()) {
      // What is written before a run would come too late here.
      const isThere = name !== "" && !this.#fixed.has(name) && (this.#operands.has(name) || this.#isThere(name));
      const datum = name && !isThere ? this.#datum(name) : undefined;
      if (name && !isThere && !givenOf(datum)) return false;
      inputs.push(isThere ? { operand: this.#operand(name, node, i), value: this.value(name) } : (datum as Tensor | undefined));
    }
    const results = runMoved(this.#program, node, inputs);
    for (const [i, name] of node.output.entries()) if (name && results) this.#hold(name, results[i]);
    return results !== undefined;
  }

  /** Keeps a value outside of the memory, which counts against what the run may take. */
  #hold(name: string, datum: Datum | undefined): void {
    const bytes = bytesOf(datum);
    this.#run?.take(bytes);
    this.#outside += bytes;
    this.#data.set(name, this.#kept(datum));
  }

  /** Computes a node on what is there. */
  #evaluate(node: Node, run: Run): void | Promise<void> {
    if (node.graphs.length > 0) return this.#control(node, run);
    if (node.output.every((name) => !name || !(this.#operands.has(name) || this.#fixed.has(name))) && this.#moved(node)) return;
    const { known } = this.#program.prepared;
    const inputs = node.input.map((name) => (name ? this.#datum(name) : undefined));
    this.#put(node, evaluate(node, inputs, { known, room: run.left }));
  }

  /** Computes a node that runs subgraphs. The memory may grow meanwhile, and views of it are lost. */
  async #control(node: Node, run: Run): Promise<void> {
    const inputs = node.input.map((name) => (name ? this.#kept(this.#datum(name)) : undefined));
    const outputs = node.output.map((name) => this.#values.get(name) ?? {});
    const opset = this.#program.prepared.known.opsets.get(node.domain) ?? 1;
    let taken = 0; // by what turns have given, until it is put together
    const results = await evaluateControl(node, inputs, outputs, opset, async (graph, given) => {
      run.enter();
      const plans = this.#inner.get(graph) ?? new Plans();
      this.#inner.set(graph, plans);
      const shapes = given.map(givenOf);
      const made = await plans.get(shapes, () => new Plan(this.#program, graph, shapes, this.#top, this)).run(given, run);
      const bytes = made.reduce((sum, datum) => sum + bytesOf(datum), 0);
      run.take(bytes);
      taken += bytes;
      return made;
    });
    run.take(-taken);
    this.#put(node, results);
  }

  /** Puts what a node gave where it belongs. */
  #put(node: Node, results: readonly (Datum | undefined)[]): void {
    node.output.forEach((name, i) => {
      if (!name || this.#fixed.has(name)) return;
      const operand = this.#operands.get(name);
      const result = results[i];
      if (!operand) this.#hold(name, result);
      else if (isTensor(result)) this.#write(operand, result, node);
    });
  }

  /** A value that is there: a view of the memory where it lies there. */
  #datum(name: string): Datum | undefined {
    const own = this.#operands.get(name);
    if (own) return this.#program.view(own);
    if (this.#data.has(name)) return this.#data.get(name);
    const fixed = this.#fixed.get(name);
    if (fixed) return fixed;
    const held = this.#program.held(this.#graph, name);
    if (held) return this.#program.tensor(held);
    const outer = this.#outer(name);
    return outer ? outer.#datum(name) : undefined;
  }

  /** A result that outlives what it was made from. */
  #kept(datum: Datum | undefined): Datum | undefined {
    if (!isTensor(datum) || !ArrayBuffer.isView(datum.data)) return datum;
    return datum.data.buffer === this.#program.kernels.memory.buffer ? { ...datum, data: datum.data.slice() } : datum;
  }

  #write(operand: Operand, tensor: Tensor, node?: Node): void {
    const isSame = tensor.dtype === operand.dtype && tensor.shape.join() === operand.shape.join();
    if (!isSame) {
      const what = `${node ? describe(node) : "An input"} gave ${tensor.dtype}[${tensor.shape}], expected ${operand.dtype}[${operand.shape}]`;
      throw new UnsupportedError(what, node && { node: node.name });
    }
    const bytes = tensorBytes(tensor);
    this.#program.kernels.arena.u8(operand.address, bytes.byteLength).set(bytes);
  }
}

/** Bytes of a value's numbers. */
function bytesOf(datum: Datum | undefined): number {
  if (!datum) return 0;
  if (isTensor(datum)) return datum.dtype === "string" ? 0 : byteLength(datum.dtype, datum.shape);
  return "sequence" in datum ? datum.sequence.reduce((sum, item) => sum + bytesOf(item), 0) : bytesOf(datum.optional);
}
