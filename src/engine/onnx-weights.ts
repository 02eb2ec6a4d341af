import { type Decision, type Encoding, keep } from "../encoding.ts";
import { UnsupportedError } from "../errors.ts";
import type { Document } from "../formats/onnx/document.ts";
import type { TensorDefinition } from "../formats/onnx/read.ts";
import { partsOf } from "../formats/onnx/represent.ts";
import type { Node } from "../graph/graph.ts";
import { roleOf } from "../graph/role.ts";
import type { Scaling } from "../optimize/model.ts";
import type { TensorInfo } from "../tensor.ts";
import type { Decider } from "./decide.ts";

/** IR version from which an initializer need not be a graph input. */
export const IR_WITHOUT_INPUTS = 4;

/** A tensor of a model under compression. */
export interface Definition extends TensorDefinition {
  /** Whether it stood in a Constant node that is gone. */
  lifted?: boolean;
  /** Whether the source has no such tensor. */
  made?: boolean;
  /** What its payload was multiplied by. */
  scaling?: Scaling;
}

/** A definition that has been encoded, and the tensors that stand for it now. */
export interface Encoded {
  definition: Definition;
  encoding: Encoding;
  /** In the order in which they are made. */
  parts: readonly TensorInfo[];
  /**
   * Whether they stand in the subgraph in which the weight stood, and not in the main graph: onnxruntime fails to load DequantizeLinear in a
   * branch over an int8 tensor, or with a scale, of the graph around it.
   */
  local: boolean;
}

/** Names for what is added, distinct from every name the model has. */
export class Names {
  readonly #taken = new Set<string>();
  readonly #given = new Set<string>();
  readonly #next = new Map<string, number>(); // suffixes below are taken

  /** Takes note of a name of the model. */
  add(name: string): void {
    if (this.#given.has(name))
      throw new UnsupportedError(
        `The name '${name}' was given to a new tensor before the model used it; give the model as a source that can be read again`,
      );
    this.#taken.add(name);
  }

  /** Takes note of every name a node uses. */
  addNode(node: Node): void {
    for (const name of [...node.input, ...node.output]) this.add(name);
    for (const graph of node.graphs) {
      for (const name of [...graph.inputs, ...graph.initializers]) this.add(name);
      for (const inner of graph.nodes) this.addNode(inner);
    }
  }

  readonly fresh = (name: string): string => {
    let candidate = name;
    let i = this.#next.get(name) ?? 2;
    while (this.#taken.has(candidate)) candidate = `${name}_${i++}`;
    this.#next.set(name, i);
    this.#taken.add(candidate);
    this.#given.add(candidate);
    return candidate;
  };
}

export function decide(decider: Decider, document: Document, { info, home, kept }: Pick<Definition, "info" | "home" | "kept">): Decision {
  const convolves = document.values.operators.has("Conv");
  if (kept === undefined) return decider.decide({ ...info, role: roleOf(document.values, info, home), convolves });
  decider.decide({ ...info, role: { op: "" } }); // patterns that name it have matched
  return keep(kept);
}

export const encodedParts = (definition: Definition, encoding: Encoding, names: Names): Encoded => ({
  definition,
  encoding,
  parts: partsOf(definition.info, encoding, names.fresh),
  local: encoding.kind === "affine8" && definition.home.parent !== undefined,
});
