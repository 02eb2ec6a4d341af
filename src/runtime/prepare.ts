import { UnsupportedError } from "../errors.ts";
import { detect } from "../formats/detect.ts";
import type { Document } from "../formats/onnx/document.ts";
import { smallTensor } from "../formats/onnx/elements.ts";
import { constantTensor } from "../formats/onnx/graph.ts";
import type { Message } from "../formats/onnx/message.ts";
import { nestedDefinitions, readModel, spell, type TensorDefinition } from "../formats/onnx/read.ts";
import type { Siblings } from "../formats/onnx/siblings.ts";
import { tensorData } from "../formats/onnx/tensor.ts";
import { unpackSparse } from "../formats/onnx/unpack.ts";
import { describe, type Graph, graphs, type Node } from "../graph/graph.ts";
import { Names } from "../graph/names.ts";
import { sourceInput } from "../io/input.ts";
import { Reader } from "../io/reader.ts";
import type { Source } from "../io/source.ts";
import { operator } from "../ops/index.ts";
import type { Known } from "../ops/op.ts";
import { type Constant, Model } from "../optimize/model.ts";
import { optimize } from "../optimize/optimize.ts";
import { scaledPayload } from "../optimize/scaling.ts";
import { memoryPayload, type Payload } from "../payload.ts";
import { type Tensor, type TensorInfo, tensorBytes } from "../tensor.ts";
import { type Fused, fuseAll } from "./fuse/graphs.ts";
import { SmallValues } from "./known.ts";

/** A tensor that the model holds, or makes of what it holds. */
export interface Held {
  info: TensorInfo;
  payload?: Payload | undefined;
  /** Its elements, where no bytes hold them: text. */
  tensor?: Tensor | undefined;
  /** The node that makes it of others, once, when it is loaded. */
  made?: { node: Node; inputs: readonly (Held | undefined)[] } | undefined;
}

/** A model that is ready to be planned. */
export interface Prepared {
  document: Document;
  known: Known;
  /** Initializers and values of Constant nodes, by the graph they stand in. */
  held: ReadonlyMap<Graph, ReadonlyMap<string, Held>>;
  /** Inputs for which an initializer stands in, where a caller gives none. */
  defaults: ReadonlySet<string>;
  /** What a run gives: the outputs of the main graph but for those that are only observed. */
  outputs: readonly string[];
}

export interface PrepareOptions {
  /** Values that the model gives besides its outputs. */
  outputs?: readonly string[] | undefined;
  /** Values of nodes that are kept whole by whatever is fused, so that a run can show them as it makes them (`onValue`). */
  observed?: readonly string[] | undefined;
  /** Whether the graph is simplified and fused; true unless said. */
  optimize?: boolean | undefined;
}

/** Reads a model but for its large tensors, simplifies its graph and fuses what one kernel does. */
export async function prepare(source: Source, siblings: Siblings, options: PrepareOptions = {}): Promise<Prepared> {
  const reader = new Reader(sourceInput(source));
  if ((await detect(reader)) !== "onnx")
    throw new UnsupportedError("A safetensors file holds weights without a graph and cannot be run; give an ONNX model");
  const { document, definitions: all } = await readModel(reader, source, siblings);
  for await (const definition of nestedDefinitions(document, document.main, document.main.nodes, anyData)) all.push(definition);
  checkOperators(document);
  document.opsets.set("edgeslim", document.opset); // fused operators keep the attributes of those they were
  for (const name of options.outputs ?? []) addOutput(document, name);
  const outputs = [...document.main.outputs];
  const given = new Set(document.main.nodes.flatMap(({ output }) => output));
  for (const name of options.observed ?? []) if (given.has(name)) addOutput(document, name);
  for (const definition of all) spell(definition, document);
  const definitions = options.optimize === false ? all : await unpackSparse(document, all);

  // From IR 4 on, an initializer that is an input too is a default: callers may give another.
  const inputs = new Set(document.ir_version < 4 ? [] : document.main.inputs);
  const isFixed = ({ home, info, payload }: TensorDefinition) => home === document.main && payload !== undefined && !inputs.has(info.name);
  const rest = definitions.filter((definition) => !isFixed(definition));
  const small = new SmallValues(document);
  const fused = await simplify(document, definitions.filter(isFixed), rest, small, options.optimize !== false);

  const held = new Map<Graph, Map<string, Held>>([...graphs(document.main)].map((graph) => [graph, new Map()]));
  for (const [graph, { constants, made }] of fused) {
    const all = new Map<string, Held>();
    for (const constant of constants.values()) held.get(graph)?.set(constant.info.name, heldOf(constant, made, all));
  }
  for (const definition of rest) {
    const { info, payload, home } = definition;
    if (payload && home !== document.main && fused.has(home)) continue;
    held.get(home)?.set(info.name, { info, payload, tensor: payload ? undefined : elementsOf(definition, document) });
  }
  const known = await small.of(fused.get(document.main)?.constants ?? new Map());
  const defaults = new Set(rest.filter(({ info }) => inputs.has(info.name)).map(({ info }) => info.name));
  return { document, known, held, defaults, outputs };
}

/** A constant as it is held, which is one however many read it. */
function heldOf({ info, payload }: Constant, made: Fused["made"], all: Map<string, Held>): Held {
  const maker = made.get(info.name);
  const known = all.get(info.name);
  if (known) return known;
  const held: Held = {
    info,
    payload,
    made: maker && { node: maker.node, inputs: maker.inputs.map((input) => input && heldOf(input, made, all)) },
  };
  all.set(info.name, held);
  return held;
}

/** What a third round finds is not worth the wait. */
const ROUNDS = 2;

/** What each graph that was simplified and fused holds; without, the main graph alone. */
async function simplify(
  document: Document,
  constants: Constant[],
  rest: readonly TensorDefinition[],
  small: SmallValues,
  isAsked: boolean,
): Promise<ReadonlyMap<Graph, Fused>> {
  if (!isAsked) {
    return new Map([[document.main, { constants: new Map(constants.map((constant) => [constant.info.name, constant])), made: new Map() }]]);
  }
  const names = new Names();
  for (const node of document.main.nodes) names.addNode(node);
  for (const name of [...document.main.inputs, ...document.main.outputs, ...document.main.initializers]) names.add(name);
  const outcome = await optimize(document, constants, (each) => small.of(each), names.fresh, ROUNDS);
  const scaled = outcome.constants.map(({ payload, scaling, ...rest }): Constant => {
    return { ...rest, payload: payload && scaling ? scaledPayload(payload, scaling) : payload };
  });
  const constantsOf = (graph: Graph) => rest.filter(({ home, payload }) => home === graph && payload);
  return fuseAll(document, new Model(document, scaled, names.fresh), small, constantsOf);
}

/** The bytes of a tensor, those of integers in typed fields too. */
async function anyData(message: Message, info: TensorInfo): Promise<Payload | undefined> {
  const payload = await tensorData(message, info);
  const tensor = payload || info.dtype === "string" ? undefined : smallTensor(message, info);
  return tensor ? memoryPayload(tensorBytes(tensor)) : payload;
}

/** Elements that no bytes hold. */
function elementsOf({ info, message, constant }: TensorDefinition, document: Document): Tensor | undefined {
  const origin = message ?? (constant && constantTensor(constant, document.origins));
  return origin && smallTensor(origin, info);
}

/** Refuses operators that are not known before anything is loaded. */
function checkOperators({ main, untouched, sparse }: Document): void {
  if (untouched.has("functions"))
    throw new UnsupportedError("The model defines functions of its own, which cannot be run; inline them (onnx.inliner does)");
  if (sparse.length > 0) throw new UnsupportedError(`Tensor '${sparse[0]?.name}' is sparse, which cannot be run; save it dense`);
  for (const graph of graphs(main)) {
    for (const node of graph.nodes) {
      const op = operator(node);
      const isFilesOwn = node.domain !== "edgeslim"; // whose operators our fusions alone write, and know to be well made
      if (isFilesOwn && (op?.compute || op?.control || op?.fold || (op && node.op_type === "Constant"))) continue;
      const what = `${describe(node)}: there is no operator ${node.op_type} in the domain '${node.domain || "ai.onnx"}' that can be run`;
      throw new UnsupportedError(`${what}; docs/support.md lists those there are`, { node: node.name, offset: node.offset });
    }
  }
}

/** Lets a value of the main graph be an output. */
function addOutput({ main, values }: Document, name: string): void {
  if (main.outputs.includes(name)) return;
  if (!main.nodes.some(({ output }) => output.includes(name)))
    throw new UnsupportedError(`No node of the model gives a value '${name}', so it cannot be an output`);
  main.outputs.push(name);
  values.addOutput(name);
}
