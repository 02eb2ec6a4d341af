import { dataType } from "../../src/graph/types.ts";
import { exposed } from "../kit/exposed.ts";
import { encodeModel, node, tensor } from "../kit/onnx.ts";
import type { FoldCase, Given } from "./fold-cases.ts";

/** A model of one node whose inputs are all initializers: a runtime in Node cannot be fed float16. */
export function oneNode(
  { op, domain = "", opset }: FoldCase & { opset: number },
  { inputs, attributes = {}, outputs = 1 }: Given,
): Uint8Array {
  const names = inputs.map((x, i) => (x ? `x${i}` : ""));
  const made = Array.from({ length: outputs }, (_, i) => `y${i}`);
  const bytes = encodeModel({
    opsets: { "": opset, ...(domain && { [domain]: 1 }) },
    graph: {
      nodes: [node(op, names, made, attributes, domain ? { domain } : {})],
      inputs: [],
      initializers: inputs.flatMap((x, i) => (x ? [tensor(`x${i}`, dataType(x.dtype), x.shape, x.data)] : [])),
      outputs: [],
    },
  });
  return exposed(bytes, made);
}
