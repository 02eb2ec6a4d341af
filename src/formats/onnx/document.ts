import { FormatError } from "../../errors.ts";
import { emptyGraph, type Graph, Values } from "../../graph/graph.ts";
import type { Patch } from "../../graph/patch.ts";
import type { TensorInfo } from "../../tensor.ts";
import { METADATA_PREFIX } from "../../version.ts";
import { declaredRanks, Origins, sparseInfo, valueName } from "./graph.ts";
import { isLeaf, isNested, type Leaf, numberOf, open, textOf } from "./message.ts";
import type { Item } from "./parse.ts";
import { GraphProto, Model, OperatorSetId, StringStringEntry } from "./proto.ts";

/** A model without its initializers: what is held of it while they pass. */
export class Document {
  /** Fields of ModelProto before the graph, and after it began. */
  readonly before: Leaf[] = [];
  readonly after: Leaf[] = [];
  /** Fields of GraphProto but nodes and initializers. */
  readonly graphLeaves: Leaf[] = [];
  readonly main: Graph = emptyGraph();
  readonly origins = new Origins();
  /** Initializers that are sparse: no scheme touches them. */
  readonly sparse: TensorInfo[] = [];
  /** Parts of the model that hold weights of their own and are left as they are. */
  readonly untouched = new Set<string>();
  ir_version = 0;
  /** Opset versions by domain; ai.onnx is ''. */
  readonly opsets = new Map<string, number>();
  #begun = false;
  readonly #initializers = new Set<string>();
  readonly #ranks = new Map<Graph, ReadonlyMap<string, number | undefined>>(); // once the file has been read
  /** Who reads what, as far as the graph has been read. */
  values = new Values(this.main);

  /** Takes an item; of an initializer, its name. */
  add(item: Item, initializerName?: string): void {
    if (item.kind === "model") {
      this.#model(item.field);
      return;
    }
    this.#begun = true;
    if (item.kind === "initializer") {
      this.#define(initializerName as string, item.message.offset);
    } else if (isNested(item.field)) {
      const node = this.origins.readNode(item.field.message, this.main);
      this.main.nodes.push(node);
      this.values.add(node);
    } else if (isLeaf(item.field)) {
      if (item.field.field === GraphProto.node) throw new FormatError("A node is not a message", { format: "onnx" });
      if (item.field.field === GraphProto.input) this.main.inputs.push(valueName(item.field));
      if (item.field.field === GraphProto.output) {
        this.main.outputs.push(valueName(item.field));
        this.values.addOutput(valueName(item.field));
      }
      if (item.field.field === GraphProto.sparse_initializer) {
        const info = sparseInfo(item.field);
        this.sparse.push(info);
        this.main.initializers.push(info.name);
      }
      this.graphLeaves.push(item.field);
    }
  }

  /** Applies the edits of a stage. */
  apply(patch: Patch): void {
    patch.apply(this.main);
    this.values = new Values(this.main);
    for (const name of this.main.initializers) this.values.addConstant(name);
    for (const node of this.main.nodes) this.values.add(node);
    for (const name of this.main.outputs) this.values.addOutput(name);
  }

  /** The number of axes of a value that `graph` sees, where the file declares it. */
  rank(name: string, graph: Graph): number | undefined {
    for (let scope: Graph | undefined = graph; scope; scope = scope.parent) {
      const fields = scope === this.main ? this.graphLeaves : (this.origins.graph(scope)?.fields ?? []);
      const ranks = this.#ranks.get(scope) ?? declaredRanks(fields);
      this.#ranks.set(scope, ranks);
      if (ranks.has(name)) return ranks.get(name);
    }
    return undefined;
  }

  /** The operator set that nodes without a domain follow. */
  get opset(): number {
    return this.opsets.get("") ?? 1;
  }

  /** Whether a graph was there at all. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Refuses a second initializer of a name at once: a run that reads once decides about each as it passes. */
  #define(name: string, offset: number): void {
    if (this.#initializers.has(name))
      throw new FormatError(`Two initializers are named '${name}'`, { offset, tensor: name, format: "onnx" });
    this.#initializers.add(name);
    this.main.initializers.push(name);
    this.values.addConstant(name);
  }

  #model(field: Leaf): void {
    if (field.field === Model.functions) this.untouched.add("functions");
    if (field.field === Model.training_info) this.untouched.add("training_info");
    if (field.field === Model.ir_version) this.ir_version = field.value;
    if (field.field === Model.opset_import) {
      const entry = open(field);
      const domain = textOf(entry, OperatorSetId.domain);
      this.opsets.set(domain === "ai.onnx" ? "" : domain, numberOf(entry, OperatorSetId.version) ?? 1);
    }
    if (field.field === Model.metadata_props && textOf(open(field), StringStringEntry.key).startsWith(METADATA_PREFIX)) return; // written anew
    (this.#begun ? this.after : this.before).push(field);
  }
}
