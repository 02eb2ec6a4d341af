import { LimitError, UnsupportedError } from "../errors.ts";
import { describe, type Node } from "../graph/graph.ts";
import { isRoom } from "../ops/compute.ts";
import { symbols } from "../ops/dims.ts";
import { foldNode } from "../ops/fold.ts";
import { operator } from "../ops/index.ts";
import { type Context, type ControlContext, type Datum, isTensor, type Known, type Op } from "../ops/op.ts";
import { bounded, constantValue, isStatic, type Value } from "../ops/value.ts";
import { byteLength } from "../tensor.ts";

/** What a node's evaluation needs to know of its surroundings. */
export interface Surroundings {
  known: Pick<Known, "opsets" | "tensor">;
  /** Bytes that the outputs may take. */
  room?: number | undefined;
  /** Uniform in [0, 1); Math.random unless said. */
  random?: (() => number) | undefined;
}

/** What is known of a value while it is there. */
export const valued = (datum: Datum | undefined): Value => (isTensor(datum) ? constantValue(datum) : {});

/** What the outputs of a node are, given its inputs. */
export function inferNode(node: Node, inputs: readonly (Value | undefined)[], { opsets, tensor }: Surroundings["known"]): readonly Value[] {
  const context: Context = { opset: opsets.get(node.domain) ?? 1, symbol: symbols(), tensor, graph: () => [] };
  return (operator(node) as Op).infer(node, inputs, context).map(bounded);
}

/** Computes a node plainly. Throws where the inputs break the operator's rules or ask for what is not supported. */
export function evaluate(
  node: Node,
  inputs: readonly (Datum | undefined)[],
  { known, room = Number.POSITIVE_INFINITY, random = Math.random }: Surroundings,
): readonly (Datum | undefined)[] {
  const values = inputs.map((input, i) => (node.input[i] ? valued(input) : undefined));
  const op = operator(node) as Op;
  const { opsets, tensor } = known;
  const outputs = inferNode(node, values, known).map(({ dtype, shape }) => ({ dtype, shape: isStatic(shape) ? shape : undefined }));
  const context = { opset: opsets.get(node.domain) ?? 1, tensor, outputs, random };
  const huge = outputs.find(({ shape }) => shape && !isRoom(shape));
  if (huge)
    throw new LimitError(
      "MAX_ELEMENTS",
      `${describe(node)} makes a tensor of [${huge.shape}], which is more than fits; give it smaller inputs`,
      { node: node.name },
    );
  const bytes = outputs.reduce((sum, { dtype, shape }) => sum + (dtype && dtype !== "string" && shape ? byteLength(dtype, shape) : 0), 0);
  if (bytes > room)
    throw new LimitError("MAX_MODEL_MEMORY", `${describe(node)} makes ${bytes} bytes, of ${room} that are left; give it smaller inputs`, {
      node: node.name,
    });
  const results = op.compute ? op.compute(node, inputs, context) : foldNode(node, values, known, Number.POSITIVE_INFINITY);
  if (results) return results;
  throw broken(node, inputs);
}

/** Computes a node that runs subgraphs; `outputs` is what is known of what it gives. Throws as {@link evaluate} does. */
export async function evaluateControl(
  node: Node,
  inputs: readonly (Datum | undefined)[],
  outputs: ControlContext["outputs"],
  opset: number,
  graph: ControlContext["graph"],
): Promise<readonly (Datum | undefined)[]> {
  const results = await operator(node)?.control?.(node, inputs, { opset, outputs, graph });
  if (results) return results;
  throw broken(node, inputs);
}

const broken = (node: Node, inputs: readonly (Datum | undefined)[]): UnsupportedError =>
  new UnsupportedError(`${describe(node)} cannot compute ${describeInputs(node, inputs)}: that breaks its rules or is not supported`, {
    node: node.name,
  });

const describeInputs = (node: Node, inputs: readonly (Datum | undefined)[]): string =>
  inputs.map((input, i) => `${node.input[i] || "nothing"}${isTensor(input) ? `: ${input.dtype}[${input.shape}]` : ""}`).join(", ") ||
  "its output";
