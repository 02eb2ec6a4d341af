import type { Node } from "../graph/graph.ts";
import { constantValue, isStatic, type Value } from "../ops/value.ts";
import { byteLength, type DType, elements, type Tensor, tensorBytes } from "../tensor.ts";
import { inferNode } from "./evaluate.ts";
import { lowering } from "./lower/index.ts";
import type { Operand } from "./operand.ts";
import type { Program } from "./program.ts";

/** Outputs with fewer elements are not worth moving values into the memory. */
const MOVED_ELEMENTS = 4096;

/** An input of a node: a tensor outside, or where it lies with what is known of it. */
export type Placed = Tensor | { operand: Operand | undefined; value: Value | undefined };

/**
 * Runs a node by kernels on values that are outside, which are moved into the memory above all plans and back. Undefined where it cannot: fused
 * operators must, others are left alone where that is not worth it.
 */
export function runMoved(
  program: Program,
  node: Node,
  inputs: readonly (Placed | undefined)[],
): readonly (Tensor | undefined)[] | undefined {
  const lower = lowering(node);
  if (!lower || node.graphs.length > 0) return undefined;
  const { prepared, kernels, work } = program;
  const { arena } = kernels;
  const mark = arena.mark();
  const bring = (bytes: Uint8Array): number => {
    const address = arena.alloc(bytes.byteLength);
    arena.u8(address, bytes.byteLength).set(bytes);
    return address;
  };
  const brought = (x: Placed | undefined): Operand | undefined =>
    x && "data" in x ? { dtype: x.dtype, shape: x.shape, address: bring(tensorBytes(x)), constant: x } : x?.operand;
  try {
    const values = inputs.map((x) => (x && "data" in x ? constantValue(x) : x?.value));
    const told = inferNode(node, values, prepared.known);
    const outputs: (Operand | undefined)[] = [];
    for (const [i, name] of node.output.entries()) {
      const { dtype, shape } = told[i] ?? {};
      if (name && (!dtype || dtype === "string" || !isStatic(shape))) return undefined;
      if (name && node.domain !== "edgeslim" && elements(shape as number[]) < MOVED_ELEMENTS) return undefined;
      const operand = name ? { dtype: dtype as DType, shape: shape as number[] } : undefined;
      outputs.push(operand && { ...operand, address: arena.alloc(byteLength(operand.dtype, operand.shape)) });
    }
    const step = lower({
      ...{ node, opset: prepared.known.opsets.get(node.domain) ?? 1, inputs: inputs.map(brought), outputs, fn: kernels.fn, arena, work },
      temporary: (bytes) => arena.alloc(bytes),
      table: (list) => bring(new Uint8Array(list.buffer)),
    });
    step?.();
    return step && outputs.map((output) => output && program.view(output));
  } finally {
    arena.reset(mark);
  }
}
