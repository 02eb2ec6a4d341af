/**
 * Whether two models are the same graph but for the names and the order of what they hold. Every value gets a number by what computes
 * it: an input's name, a weight's bits, or a node's operator, attributes and inputs. One table serves both models, so equal numbers
 * mean equal computations, and equal graphs have the same numbers equally often.
 */
import { DataType } from "../kit/onnx.ts";
import {
  type DecodedAttribute,
  type DecodedGraph,
  type DecodedModel,
  type DecodedNode,
  type DecodedTensor,
  everyGraph,
} from "../kit/readonnx.ts";

/** Numbers for descriptions. */
class Table {
  readonly #numbers = new Map<string, number>();

  of(description: string): number {
    const number = this.#numbers.get(description) ?? this.#numbers.size;
    this.#numbers.set(description, number);
    return number;
  }
}

interface Part {
  number: number;
  /** What to show of it. */
  text: string;
  /** Numbers of what it is made from: a part whose own parts are all known is where a difference begins. */
  from: number[];
}

interface Numbered {
  parts: Part[];
  /** What the graph's outputs are, as one description. */
  outputs: string;
}

const ARRAYS: Record<number, new (values: never) => ArrayBufferView> = {
  [DataType.FLOAT]: Float32Array,
  [DataType.DOUBLE]: Float64Array,
  [DataType.INT8]: Int8Array,
  [DataType.UINT8]: Uint8Array,
  [DataType.BOOL]: Uint8Array,
  [DataType.FLOAT16]: Uint16Array,
  [DataType.INT32]: Int32Array,
  [DataType.INT64]: BigInt64Array,
};

/** A tensor by its bits, in whatever field a file keeps them. */
function tensorText({ dims, data_type, bytes, values, external }: DecodedTensor): string {
  if (external) throw new Error("External data are not compared");
  const array = ARRAYS[data_type];
  if (values && !array) throw new Error(`Typed values of data type ${data_type} are not compared`);
  const raw = values && array ? new array(values as never) : (bytes ?? new Uint8Array(0));
  const { buffer, byteOffset, byteLength } = raw;
  return `tensor ${data_type} [${dims}] ${Buffer.from(buffer, byteOffset, byteLength).toString("base64")}`;
}

/** The values of a graph, and of those around it. */
class Scope {
  readonly #table: Table;
  readonly #graph: DecodedGraph;
  readonly #around: Scope | undefined;
  readonly #producers = new Map<string, [node: DecodedNode, output: number]>();
  readonly #numbers = new Map<string, number>();
  readonly #nodes = new Map<DecodedNode, Part>();

  constructor(table: Table, graph: DecodedGraph, around?: Scope) {
    this.#table = table;
    this.#graph = graph;
    this.#around = around;
    for (const node of graph.nodes) node.outputs.forEach((name, i) => void this.#producers.set(name, [node, i]));
    // The inputs of a subgraph are told apart by their position, those of a model by their name.
    graph.inputs.forEach(({ name, data_type, dims }, i) => {
      this.#numbers.set(name, table.of(around ? `input ${i} of ${this.#depth}` : `input ${name} ${data_type} [${dims}]`));
    });
    for (const [name, tensor] of graph.initializers) this.#numbers.set(name, table.of(tensorText(tensor)));
  }

  get #depth(): number {
    return this.#around ? this.#around.#depth + 1 : 0;
  }

  number(name: string): number {
    if (name === "") return this.#table.of("nothing");
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const [node, output] = this.#producers.get(name) ?? [];
    if (node) return this.#table.of(`output ${output} of ${this.#part(node).number}`);
    if (this.#around) return this.#around.number(name);
    throw new Error(`No node makes ${name}`);
  }

  #part(node: DecodedNode): Part {
    let part = this.#nodes.get(node);
    if (!part) {
      const from = node.inputs.map((name) => this.number(name));
      const attributes = [...node.attributes].map(([name, value]) => `${name}=${this.#attribute(value)}`).sort();
      const domain = node.domain === "ai.onnx" ? "" : node.domain;
      const number = this.#table.of(JSON.stringify([node.op_type, domain, node.outputs.map(Boolean), from, attributes]));
      const shown = attributes.map((each) => (each.length < 60 ? each : `${each.slice(0, 60)}…`));
      part = { number, text: `${node.op_type}(${node.inputs.join(", ")}) {${shown.join(", ")}} → ${node.outputs.join(", ")}`, from };
      this.#nodes.set(node, part);
    }
    return part;
  }

  #attribute(value: DecodedAttribute): string {
    if (typeof value === "object" && "data_type" in value) return tensorText(value);
    if (typeof value !== "object" || Array.isArray(value)) return JSON.stringify(value) ?? "unknown";
    const { parts, outputs } = new Scope(this.#table, value, this).all();
    return `graph ${JSON.stringify([value.inputs.length, outputs, parts.map(({ number }) => number).sort((a, b) => a - b)])}`;
  }

  all(): Numbered {
    const parts = this.#graph.nodes.map((node) => this.#part(node));
    const outputs = this.#graph.outputs.map(({ name, data_type }) =>
      this.#around ? this.number(name) : `${name} ${data_type} is ${this.number(name)}`,
    );
    return { parts, outputs: JSON.stringify(outputs) };
  }

  /** Numbers of all that needs no node. */
  get given(): number[] {
    return [this.#table.of("nothing"), ...this.#graph.inputs.map(({ name }) => this.number(name))];
  }
}

/** The weights of all graphs of a model: in which of them one stands does not count. */
function weights(model: DecodedModel, table: Table): Part[] {
  return [...everyGraph(model)].flatMap(({ initializers }) =>
    [...initializers.values()].map((tensor) => ({
      number: table.of(tensorText(tensor)),
      text: `${tensor.name}: type ${tensor.data_type} [${tensor.dims}]`,
      from: [],
    })),
  );
}

/** What `parts` has more often than `others`, where it begins: not what only follows from a difference before it. */
function surplus(parts: readonly Part[], others: readonly Part[], table: Table): string[] {
  const left = new Map<number, number>();
  for (const { number } of others) left.set(number, (left.get(number) ?? 0) + 1);
  const extra = parts.filter(({ number }) => {
    left.set(number, (left.get(number) ?? 0) - 1);
    return (left.get(number) as number) < 0;
  });
  const differing = new Set(extra.flatMap(({ number }) => [number, ...[0, 1, 2].map((i) => table.of(`output ${i} of ${number}`))]));
  return extra.filter(({ from }) => !from.some((each) => differing.has(each))).map(({ text }) => text);
}

/** The versions of the domains that a model's nodes come from. */
const opsetsOf = (model: DecodedModel): string => {
  const nodes = [...everyGraph(model)].flatMap((graph) => graph.nodes);
  const used = new Set(["", ...nodes.map(({ domain }) => (domain === "ai.onnx" ? "" : domain))]);
  return JSON.stringify([...model.opsets].filter(([domain]) => used.has(domain)).sort());
};

export interface Difference {
  /** Weights and nodes that one of them has and the other has not, each where a difference begins. */
  missing: string[];
  surplus: string[];
  /** What differs about the models as wholes. */
  other: string[];
}

export const SAME: Difference = { missing: [], surplus: [], other: [] };

/** How `actual` differs from `expected`; {@link SAME} where they are the same graph. */
export function difference(actual: DecodedModel, expected: DecodedModel): Difference {
  const table = new Table();
  const [ours, theirs] = [actual, expected].map((model) => new Scope(table, model)) as [Scope, Scope];
  const [a, b] = [ours.all(), theirs.all()];
  const [aParts, bParts] = [
    [...weights(actual, table), ...a.parts],
    [...weights(expected, table), ...b.parts],
  ] as const;
  const found = { missing: surplus(bParts, aParts, table), surplus: surplus(aParts, bParts, table), other: [] as string[] };
  if (opsetsOf(actual) !== opsetsOf(expected)) found.other.push(`opsets ${opsetsOf(actual)}, not ${opsetsOf(expected)}`);
  if (String(ours.given) !== String(theirs.given)) found.other.push("other inputs");
  if (a.outputs !== b.outputs && found.missing.length + found.surplus.length === 0) found.other.push("other outputs");
  return found;
}
