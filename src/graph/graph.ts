import { FormatError } from "../errors.ts";
import type { TensorBytes } from "../tensor.ts";

/** An attribute's value; tensors are not among them (a Constant's is a definition), graphs stand in `Node.graphs`. */
export type Attribute = number | string | readonly number[] | readonly string[];

/** An operation, in the words of ONNX: https://onnx.ai/onnx/repo-docs/IR.html */
export interface Node {
  op_type: string;
  /** Empty for ai.onnx. */
  domain: string;
  name: string;
  /** Names of values; empty where an optional input is absent. */
  input: readonly string[];
  output: readonly string[];
  attributes: Readonly<Record<string, Attribute>>;
  /** Names of attributes that have a value which does not stand in `attributes`: tensors, graphs, texts, lists that are data. */
  unread?: readonly string[];
  graphs: readonly Graph[];
  /** Tensor attributes of a node made here; those of the source stand in its bytes. */
  tensors?: Readonly<Record<string, TensorBytes>>;
  /** Byte offset in the source; −1 for a node made here. */
  offset: number;
  /** The node that this one is an edited copy of: what it does not say (tensors, names of attributes) stands there. */
  from?: Node;
}

/** A graph or subgraph. Values are named; a subgraph sees the names of the graphs around it. */
export interface Graph {
  nodes: Node[];
  inputs: string[];
  outputs: string[];
  initializers: string[];
  parent: Graph | undefined;
  /** Initializers that were added: they are among `initializers` too. */
  added: TensorBytes[];
  /** Whether it is no longer what came in the source. */
  edited: boolean;
  /** The attribute of its node that it is (`then_branch`, `body`); '' for the main graph. */
  attribute: string;
}

/** A value read by a node. */
export interface Use {
  node: Node;
  /** Position among the node's inputs. */
  index: number;
  graph: Graph;
}

export const emptyGraph = (parent?: Graph, attribute = ""): Graph => ({
  nodes: [],
  inputs: [],
  outputs: [],
  initializers: [],
  parent,
  added: [],
  edited: false,
  attribute,
});

/** A node that is not in the source. */
export const makeNode = (
  op_type: string,
  input: string[],
  output: string[],
  attributes: Record<string, Attribute> = {},
  domain = "",
): Node => ({
  op_type,
  domain,
  name: `${output[0]}/${op_type}`,
  input,
  output,
  attributes,
  graphs: [],
  offset: -1,
});

/** A node of the source with something changed; attributes that are not numbers, text or lists of numbers stay. */
export const edited = (
  node: Node,
  changes: Partial<Pick<Node, "op_type" | "domain" | "name" | "input" | "output" | "attributes">>,
): Node => ({
  ...node,
  ...changes,
  from: node.from ?? node,
});

export const describe = (node: Node): string => `${node.op_type} '${node.name || (node.output[0] ?? "")}'`;

/** Every graph, outermost first. */
export function* graphs(graph: Graph): Generator<Graph> {
  yield graph;
  for (const node of graph.nodes) for (const inner of node.graphs) yield* graphs(inner);
}

/** Who reads each value, scope by scope; grows with the nodes of the main graph. */
export class Values {
  /** Operators of all graphs, so far. */
  readonly operators = new Set<string>();
  readonly #main: Graph;
  readonly #defined = new Map<Graph, Set<string>>();
  readonly #constants = new Map<Graph, Set<string>>();
  readonly #computed = new Set<string>(); // by nodes of the main graph
  readonly #uses = new Map<Graph, Map<string, Use[]>>();
  readonly #outputs = new Map<Graph, Set<string>>();

  constructor(main: Graph) {
    this.#main = main;
    this.#constants.set(main, new Set());
    this.#uses.set(main, new Map());
    this.#outputs.set(main, new Set());
  }

  /** Takes in a node of the main graph, with its subgraphs. */
  add(node: Node): void {
    for (const graph of node.graphs) this.#define(graph);
    this.#read(node, this.#main);
    for (const graph of node.graphs) this.#readGraph(graph);
    if (isConstant(node)) this.addConstant(node.output[0] as string);
    else for (const name of node.output) this.#computed.add(name);
  }

  /** Takes in an initializer of the main graph. */
  addConstant(name: string): void {
    this.#constants.get(this.#main)?.add(name);
  }

  /** Takes in an output of the main graph. */
  addOutput(name: string): void {
    this.#outputs.get(this.#main)?.add(name);
  }

  /** The graph, from `graph` outwards, that defines a name; the main graph where none does, or none has yet. */
  home(name: string, graph: Graph): Graph {
    for (let scope: Graph | undefined = graph; scope && scope !== this.#main; scope = scope.parent) {
      if (this.#defined.get(scope)?.has(name)) return scope;
    }
    return this.#main;
  }

  /** Readers of a value defined in `home`. */
  uses(name: string, home: Graph): readonly Use[] {
    return this.#uses.get(home)?.get(name) ?? [];
  }

  /** Whether a value that `graph` reads is an initializer or a Constant; undefined where what defines it has not been read yet. */
  isConstant(name: string, graph: Graph): boolean | undefined {
    const home = this.home(name, graph);
    if (this.#constants.get(home)?.has(name)) return true;
    return home === this.#main && !this.#computed.has(name) ? undefined : false;
  }

  /** Whether a value leaves its graph or a subgraph. */
  isOutput(name: string, home: Graph): boolean {
    return this.#outputs.get(home)?.has(name) ?? false;
  }

  #define(graph: Graph): void {
    this.#defined.set(graph, new Set(definedNames(graph)));
    const constants = graph.nodes.filter(isConstant).map(({ output }) => output[0] as string);
    this.#constants.set(graph, new Set([...graph.initializers, ...constants]));
    this.#uses.set(graph, new Map());
    this.#outputs.set(graph, new Set());
    for (const node of graph.nodes) for (const inner of node.graphs) this.#define(inner);
  }

  #readGraph(graph: Graph): void {
    for (const node of graph.nodes) {
      this.#read(node, graph);
      for (const inner of node.graphs) this.#readGraph(inner);
    }
    for (const name of graph.outputs) this.#outputs.get(this.home(name, graph))?.add(name);
  }

  #read(node: Node, graph: Graph): void {
    this.operators.add(node.op_type);
    node.input.forEach((name, index) => {
      if (!name) return;
      const uses = this.#uses.get(this.home(name, graph)) as Map<string, Use[]>;
      const list = uses.get(name);
      if (list) list.push({ node, index, graph });
      else uses.set(name, [{ node, index, graph }]);
    });
  }
}

const isConstant = ({ domain, op_type, output }: Node): boolean => domain === "" && op_type === "Constant" && output.length > 0;

/** Names that a graph itself defines. */
export function* definedNames(graph: Graph): Generator<string> {
  yield* graph.inputs;
  yield* graph.initializers;
  for (const node of graph.nodes) for (const name of node.output) if (name) yield name;
}

/** Refuses a graph that no runtime could run: a name defined twice, read but never defined, or defined from itself. */
export function checkGraph(main: Graph): void {
  const bad = (what: string, node?: Node) =>
    new FormatError(what, {
      ...(node && node.offset >= 0 ? { offset: node.offset } : {}),
      ...(node ? { node: node.name } : {}),
      format: "onnx",
    });
  const scopes = new Map<Graph, Set<string>>();
  for (const graph of graphs(main)) scopes.set(graph, new Set(definedNames(graph)));
  const isDefined = (name: string, graph: Graph): boolean => {
    for (let scope: Graph | undefined = graph; scope; scope = scope.parent) if (scopes.get(scope)?.has(name)) return true;
    return false;
  };
  for (const graph of graphs(main)) {
    const defined = new Set<string>();
    for (const name of graph.initializers) {
      if (defined.has(name)) throw bad(`Two initializers are named '${name}'`);
      defined.add(name);
    }
    for (const node of graph.nodes) {
      for (const name of node.output) {
        if (!name) continue;
        if (defined.has(name)) throw bad(`${describe(node)} defines '${name}', which is defined already`, node);
        defined.add(name);
      }
      for (const name of node.input) {
        if (name && !isDefined(name, graph)) throw bad(`${describe(node)} reads '${name}', which nothing defines`, node);
      }
    }
    for (const name of graph.outputs) if (!isDefined(name, graph)) throw bad(`The graph's output '${name}' is not defined`);
    const stuck = cyclic(graph);
    if (stuck) throw bad(`${describe(stuck)} depends on its own output`, stuck);
  }
}

/** A node on, or behind, a cycle. */
function cyclic(graph: Graph): Node | undefined {
  const sorted = new Set(topological(graph));
  return graph.nodes.find((node) => !sorted.has(node));
}

/**
 * The nodes of a graph, each after those it reads from (Kahn's algorithm) without those on, or behind, a cycle. A node's subgraphs count as readers of what they take from outside.
 */
export function topological(graph: Graph): Node[] {
  const producer = new Map<string, Node>();
  for (const node of graph.nodes) for (const name of node.output) if (name) producer.set(name, node);
  const readers = new Map<Node, Node[]>();
  const waiting = new Map<Node, number>();
  for (const node of graph.nodes) {
    const sources = new Set<Node>();
    for (const name of reads(node)) {
      const from = producer.get(name);
      if (from) sources.add(from);
    }
    waiting.set(node, sources.size);
    for (const from of sources) {
      const list = readers.get(from);
      if (list) list.push(node);
      else readers.set(from, [node]);
    }
  }
  const sorted = graph.nodes.filter((node) => waiting.get(node) === 0);
  for (const node of sorted) {
    for (const next of readers.get(node) ?? []) {
      const left = (waiting.get(next) as number) - 1;
      waiting.set(next, left);
      if (left === 0) sorted.push(next);
    }
  }
  return sorted;
}

/** Names that a node or its subgraphs read, less those the subgraphs define themselves. */
export function* reads(node: Node): Generator<string> {
  yield* node.input;
  for (const graph of node.graphs) {
    const own = new Set(definedNames(graph));
    for (const inner of graph.nodes) for (const name of reads(inner)) if (!own.has(name)) yield name;
    for (const name of graph.outputs) if (!own.has(name)) yield name;
  }
}
