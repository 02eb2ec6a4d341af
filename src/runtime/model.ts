import { UnsupportedError } from "../errors.ts";
import type { Node } from "../graph/graph.ts";
import type { Datum } from "../ops/op.ts";
import type { Tensor } from "../tensor.ts";
import { check } from "./feeds.ts";
import { givenOf, Plan, Plans } from "./plan.ts";
import { type Port, portsOf, portsText } from "./ports.ts";
import type { Program } from "./program.ts";
import { Run } from "./run.ts";

/** What a run is fed, by name: tensors; where the model takes them, `{ sequence }` and `{ optional }`. */
export type Feeds = Readonly<Record<string, Datum>>;

/** What a run gives, by name: tensors, but for the rare model that gives a `{ sequence }` or `{ optional }`. */
export type Results = Record<string, Tensor>;

export interface RunOptions {
  /** The outputs that are wanted; all of them unless said. */
  outputs?: readonly string[] | undefined;
  signal?: AbortSignal | undefined;
  /** Called with each output, and each value that is `observed`, once it is computed: a view that lasts for the call. */
  onValue?: ((name: string, tensor: Tensor) => void) | undefined;
  /** Called after each node: its name, its operator as it was fused, whether a kernel ran it, and how long it took. */
  onStep?: ((step: { name: string; op_type: string; isKernel: boolean; ms: number }) => void) | undefined;
}

/**
 * A model that runs.
 * @example
 * const model = await load(bytes);
 * const { scores } = await model.run({ image: { dtype: "float32", shape: [1, 3, 224, 224], data } });
 */
export class InferenceModel {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly #program: Program;
  readonly #plans = new Plans();
  readonly #base: number;
  /** The end of the run before: runs share one arena, so they take turns. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(program: Program) {
    this.#program = program;
    this.#base = program.kernels.arena.mark();
    const { inputs, outputs } = portsOf(program.prepared);
    this.inputs = inputs;
    this.outputs = outputs;
  }

  /** Bytes of memory that the model and its runs have taken so far. */
  get memory(): number {
    return this.#program.kernels.memory.buffer.byteLength;
  }

  /**
   * Runs the model once; runs of one model take turns. Results are copies; feeds are read when the run's turn comes, so leave them as they are
   * until it has ended.
   * Throws an UnsupportedError where feeds do not fit the inputs, saying which; an AbortError where `signal` aborts.
   */
  run(feeds: Feeds, options: RunOptions = {}): Promise<Results> {
    const turn = this.#last.then(() => this.#run(feeds, options));
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #run(feeds: Feeds, { outputs, signal, onStep, onValue }: RunOptions): Promise<Results> {
    signal?.throwIfAborted();
    const given = this.#checked(feeds);
    const wanted = new Set(outputs ?? this.outputs.map(({ name }) => name));
    for (const name of wanted) this.#port(name, this.outputs, "output");
    const { document, outputs: all } = this.#program.prepared;
    const { main } = document;
    const shapes = given.map(givenOf);
    const plan = this.#plans.get(shapes, () => new Plan(this.#program, main, shapes, this.#base));
    const run = new Run(this.#program.maxBytes - plan.top, signal);
    for (const step of plan.start(given, run)) {
      const start = onStep ? performance.now() : 0;
      const waiting = step.run(run);
      if (waiting) await waiting;
      onStep?.({ ...nameOf(step.node), isKernel: step.isKernel, ms: performance.now() - start });
      if (onValue) for (const [name, tensor] of plan.observed(step.node)) onValue(name, tensor);
      const rest = run.pause();
      if (rest) await rest;
    }
    const results = plan.finish();
    return Object.fromEntries(all.map((name, i) => [name, results[i]]).filter(([name]) => wanted.has(name as string))) as Results;
  }

  /** The feeds in the order of the graph's inputs. */
  #checked(feeds: Feeds): (Datum | undefined)[] {
    if (typeof feeds !== "object" || feeds === null)
      throw new UnsupportedError(`A run takes its inputs by name: { ${this.inputs.map(({ name }) => name).join()} }`);
    for (const name of Object.keys(feeds)) this.#port(name, this.inputs, "input");
    const { prepared } = this.#program;
    const bound = new Map<string, { size: number; by: string }>();
    return prepared.document.main.inputs.map((name) => {
      const port = this.inputs.find((each) => each.name === name);
      const given = Object.hasOwn(feeds, name) ? (feeds[name] ?? undefined) : undefined;
      if (given !== undefined && port) check(port, given, bound);
      if (given || !port) return given;
      const held = prepared.held.get(prepared.document.main)?.get(name);
      if (held) return this.#program.tensor(held);
      throw new UnsupportedError(`Input '${name}' is missing; the model takes ${portsText(this.inputs)}`, { tensor: name });
    });
  }

  #port(name: string, ports: readonly Port[], kind: string): void {
    if (ports.some((port) => port.name === name)) return;
    const verb = kind === "input" ? "takes" : "gives";
    throw new UnsupportedError(`The model has no ${kind} '${name}'; it ${verb} ${portsText(ports)}`, { tensor: name });
  }
}

const nameOf = ({ name, output, domain, op_type }: Node) => ({
  name: name || (output[0] ?? ""),
  op_type: domain ? `${domain}.${op_type}` : op_type,
});
