import type { Node } from "../../graph/graph.ts";
import type { Arena } from "../../kernels/arena.ts";
import type { InferKernels } from "../../kernels/infer/kernels.ts";
import type { Operand } from "../operand.ts";

/** A node with all that is known of it before it runs: every address and every shape. */
export interface Call {
  readonly node: Node;
  /** Of the node's domain. */
  readonly opset: number;
  readonly inputs: readonly (Operand | undefined)[];
  /** By position; undefined where nobody reads one. */
  readonly outputs: readonly (Operand | undefined)[];
  readonly fn: InferKernels;
  /** The memory, for what is read from it when the model runs. */
  readonly arena: Arena;
  /** Address of scratch that any kernel may use while it runs. */
  readonly work: number;
  /** The address of bytes that are the step's own while it runs. */
  temporary(bytes: number): number;
  /** The address of numbers that stay. */
  table(values: Int32Array | Float32Array): number;
}

/** What runs a node: calls of kernels with fixed arguments. Undefined where no kernel does what the node asks for. */
export type Lower = (call: Call) => (() => void) | undefined;
