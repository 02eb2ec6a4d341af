import { edited, type Node } from "../../graph/graph.ts";
import { int, texts } from "../../ops/op.ts";
import { integersOf } from "../../ops/value.ts";
import { Edits, type Model } from "../../optimize/model.ts";

/** The activations that a cell has where the node says none. */
const ACTIVATIONS: Readonly<Record<string, readonly string[]>> = {
  LSTM: ["Sigmoid", "Tanh", "Tanh"],
  GRU: ["Sigmoid", "Tanh"],
  RNN: ["Tanh"],
};

/** Gives recurrent layers with constant weights to the kernels that read them packed. */
export function recurrent(model: Model): boolean {
  const edits = new Edits(model);
  for (const node of model.main.nodes) if (isFit(model, node)) edits.replace(node, [edited(node, { domain: "edgeslim" })]);
  return edits.apply();
}

function isFit(model: Model, node: Node): boolean {
  const usual = node.domain === "" ? ACTIVATIONS[node.op_type] : undefined;
  const [x = "", w = "", r = "", b = "", lens = "", ...rest] = node.input;
  if (!usual || int(node, "layout", 0) !== 0 || int(node, "input_forget", 0) !== 0 || node.attributes.clip !== undefined) return false;
  const named = texts(node, "activations");
  const [weights, recurrence] = [w, r].map((name) => model.constants.get(name)?.info);
  const [directions, width, k] = weights?.shape ?? [];
  const hidden = recurrence?.shape[2] ?? 0;
  const gates = { LSTM: 4, GRU: 3, RNN: 1 }[node.op_type] ?? 0;
  const isWell =
    weights?.shape.length === 3 &&
    recurrence?.shape.join() === [directions, gates * hidden, hidden].join() &&
    width === gates * hidden &&
    directions === (node.attributes.direction === "bidirectional" ? 2 : 1);
  const isUsual = !named || named.every((name, i) => name.toLowerCase() === usual[i % usual.length]?.toLowerCase());
  const floats = [x, w, r, b, ...rest].filter(Boolean).every((name) => model.inferred.get(name)?.dtype === "float32");
  const isFixed = !lens || integersOf(model.inferred.get(lens)) !== undefined;
  const shape = model.inferred.get(x)?.shape;
  return isWell && isUsual && floats && isFixed && (!shape || (shape.length === 3 && (shape[2] === k || typeof shape[2] === "string")));
}
