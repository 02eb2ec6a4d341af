import { FormatError } from "../../errors.ts";
import { emptyGraph, type Graph, Values } from "../../graph/graph.ts";
import type { Patch } from "../../graph/patch.ts";
import { int, message } from "../../io/protobuf.ts";
import type { TypeAndShape } from "../../ops/value.ts";
import type { TensorBytes, TensorInfo } from "../../tensor.ts";
import { METADATA_PREFIX } from "../../version.ts";
import { declaredRanks, Origins, sparseInfo, valueName } from "./graph.ts";
import { isLeaf, isNested, type Leaf, leaf, type Message, numberOf, open, textOf } from "./message.ts";
import type { Item } from "./parse.ts";
import { GraphProto, Model, OperatorSetId, StringStringEntry } from "./proto.ts";

/** Fields of ModelProto: a file starts with one of them, since that is how it is told from others. */
const KNOWN: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25]);

/** A model without its initializers: what is held of it while they pass. */
export class Document {
  /** Fields of ModelProto before the graph, and after it began. */
  readonly before: Leaf[] = [];
  readonly after: Leaf[] = [];
  /** Fields of GraphProto but nodes and initializers. */
  readonly graphLeaves: Leaf[] = [];
  readonly main: Graph = emptyGraph();
  readonly origins = new Origins();
  /** Types and shapes of the main graph's initializers. */
  readonly tensors = new Map<string, TypeAndShape>();
  /** float32 constants of the main graph that are too large or too small for float16, as the halves that stand for them. */
  readonly unfit = new Map<string, TensorBytes>();
  /** Initializers that are sparse: no scheme touches them. */
  readonly sparse: TensorInfo[] = [];
  /** Parts of the model that hold weights of their own and are left as they are. */
  readonly untouched = new Set<string>();
  ir_version = 0;
  /** Opset versions by domain; ai.onnx is ''. */
  readonly opsets = new Map<string, number>();
  #begun = false;
  readonly #ranks = new Map<Graph, ReadonlyMap<string, number | undefined>>(); // once the file has been read
  /** Who reads what, as far as the graph has been read. */
  values = new Values(this.main);

  /** Takes an item; of an initializer, what it is. */
  add(item: Item, initializer?: TensorInfo): void {
    if (item.kind === "model") {
      this.#model(item.field);
      return;
    }
    this.#begun = true;
    if (item.kind === "initializer") {
      this.#define(initializer as TensorInfo, item.message.offset);
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

  /** Imports ai.onnx at another version, in the place where it was imported. */
  importOpset(version: number): void {
    for (const fields of [this.before, this.after]) {
      fields.forEach((field, i) => {
        if (importsOnnx(field)) fields[i] = atVersion(field, version);
      });
    }
    this.opsets.set("", version);
  }

  /** Lets the import of ai.onnx stand after the graph, so that it can change while the graph is being written. */
  deferOpset(): void {
    this.after.push(...this.before.filter(importsOnnx));
    this.before.splice(0, this.before.length, ...this.before.filter((field) => !importsOnnx(field)));
  }

  /** Whether a graph was there at all. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Refuses a second initializer of a name at once: a run that reads once decides about each as it passes. */
  #define({ name, dtype, shape }: TensorInfo, offset: number): void {
    if (this.tensors.has(name)) throw new FormatError(`Two initializers are named '${name}'`, { offset, tensor: name, format: "onnx" });
    this.tensors.set(name, { dtype, shape });
    this.main.initializers.push(name);
    this.values.addConstant(name);
  }

  #model(field: Leaf): void {
    if (field.field === Model.functions) this.untouched.add("functions");
    if (field.field === Model.training_info) this.untouched.add("training_info");
    if (field.field === Model.ir_version) this.ir_version = field.value;
    if (field.field === Model.opset_import) {
      const entry = open(field);
      this.opsets.set(domainOf(entry), numberOf(entry, OperatorSetId.version) ?? 1);
    }
    if (field.field === Model.metadata_props && textOf(open(field), StringStringEntry.key).startsWith(METADATA_PREFIX)) return; // written anew
    (this.#begun || !KNOWN.has(field.field) ? this.after : this.before).push(field);
  }
}

function domainOf(operatorSet: Message): string {
  const domain = textOf(operatorSet, OperatorSetId.domain);
  return domain === "ai.onnx" ? "" : domain;
}

const importsOnnx = (field: Leaf): boolean => field.field === Model.opset_import && domainOf(open(field)) === "";

/** An opset import with everything but its version as it was. */
function atVersion(field: Leaf, version: number): Leaf {
  const rest = open(field)
    .fields.filter(isLeaf)
    .filter((f) => f.field !== OperatorSetId.version);
  const body = [...rest.map((f) => f.bytes), int(OperatorSetId.version, version)];
  const length = body.reduce((n, bytes) => n + bytes.byteLength, 0);
  return leaf(field.field, message(field.field, body), length);
}
