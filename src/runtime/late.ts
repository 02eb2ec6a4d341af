import type { Node } from "../graph/graph.ts";
import { type Datum, isTensor } from "../ops/op.ts";
import { isStatic } from "../ops/value.ts";
import { byteLength, type Tensor, tensorBytes } from "../tensor.ts";
import { inferNode, valued } from "./evaluate.ts";
import { lowering } from "./lower/index.ts";
import type { Operand } from "./operand.ts";
import type { Program } from "./program.ts";

/** An input of a node: where it lies, or what it is. */
export type Given = { operand: Operand } | { datum: Datum | undefined } | undefined;

/**
 * Runs a node by kernels whose shapes nobody knew before its inputs were there; undefined where no kernel does. What is not in the memory
 * yet is put behind `top`, where nothing lies between two steps. Results are copies.
 */
export function runLate(program: Program, node: Node, given: readonly Given[], top: number): (Tensor | undefined)[] | undefined {
  const lower = lowering(node);
  const { prepared, kernels, work } = program;
  const { arena, fn } = kernels;
  const tensors = given.map((each) => (each && "datum" in each ? each.datum : undefined));
  const isPlain = given.every((each, i) => !each || "operand" in each || (isTensor(tensors[i]) && tensors[i].dtype !== "string"));
  if (!lower || !isPlain) return undefined;
  const values = given.map((each, i) => {
    if (!each || !("operand" in each)) return each && valued(tensors[i]);
    const { dtype, shape, constant } = each.operand;
    return constant ? valued(constant) : { dtype, shape };
  });
  const wanted = inferNode(node, values, prepared.known).slice(0, node.output.length);
  if (wanted.some(({ dtype, shape }, i) => node.output[i] && (!dtype || dtype === "string" || !isStatic(shape)))) return undefined;

  arena.reset(top);
  const place = ({ dtype, shape }: Pick<Operand, "dtype" | "shape">): Operand => {
    return { dtype, shape, address: arena.alloc(byteLength(dtype, shape)) };
  };
  const inputs = given.map((each, i) => {
    if (!each || "operand" in each) return each?.operand;
    const tensor = tensors[i] as Tensor;
    const bytes = tensorBytes(tensor).slice(); // the memory may grow
    const operand = place(tensor);
    arena.u8(operand.address, bytes.byteLength).set(bytes);
    return { ...operand, constant: tensor };
  });
  const outputs = wanted.map((value, i) => (node.output[i] ? place(value as Operand) : undefined));
  const run = lower({
    ...{ node, opset: prepared.known.opsets.get(node.domain) ?? 1, inputs, outputs, fn, work },
    temporary: (bytes) => arena.alloc(bytes),
    table(values) {
      const address = arena.alloc(values.byteLength);
      arena.u8(address, values.byteLength).set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
      return address;
    },
  });
  run?.();
  const results = outputs.map((operand) => operand && program.view(operand));
  const kept = results.map((view) => view && ({ ...view, data: (view.data as Uint8Array).slice() } as Tensor));
  arena.reset(top);
  return run ? kept : undefined;
}
