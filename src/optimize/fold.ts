import { topological } from "../graph/graph.ts";
import { foldNode } from "../ops/fold.ts";
import { constantValue, type Value } from "../ops/value.ts";
import { byteLength, type Tensor } from "../tensor.ts";
import { Edits, type Model } from "./model.ts";

/** A result may be so much larger than what it is made from: a file should not grow by being simplified. */
const MAX_GROWTH = 4096;
/** Constants that are read for folding, at most: what a one-pass run may hold. */
const MAX_READ = 32 << 20;
/** A dequantized weight is what compression undoes. */
const KEPT: ReadonlySet<string> = new Set(["DequantizeLinear", "QuantizeLinear", "DynamicQuantizeLinear"]);

/** Replaces what can be computed now by its result: shape arithmetic, and operators whose inputs are all constants. */
export async function fold(model: Model): Promise<boolean> {
  const edits = new Edits(model);
  const made = new Map<string, Tensor>();
  for (const node of topological(model.main)) {
    const outputs = node.output.filter(Boolean);
    if (
      KEPT.has(node.op_type) ||
      model.constants.get(outputs[0] ?? "")?.constant ||
      outputs.length === 0 ||
      outputs.some((name) => model.isOutput(name))
    )
      continue;
    let results: readonly (Tensor | undefined)[] | undefined = node.output.map((name) => model.inferred.get(name)?.constant);
    if (node.output.some((name, i) => name && !results?.[i])) {
      const inputs = await constants(model, node.input, made);
      results = inputs && foldNode(node, inputs, model.known);
    }
    if (!results || node.output.some((name, i) => name && (!results?.[i] || results[i].dtype === "string"))) continue;
    // A tied weight stays in the file for its other readers.
    const before = node.input.reduce((n, name) => n + (model.isPrivate(name) ? (model.constants.get(name)?.payload?.length ?? 0) : 0), 0);
    const after = results.reduce((n, tensor) => n + (tensor ? byteLength(tensor.dtype, tensor.shape) : 0), 0);
    if (after > before + MAX_GROWTH) continue;
    for (const [i, name] of node.output.entries()) if (name) made.set(name, results[i] as Tensor);
    model.absorb(node.input, `folded into '${outputs[0]}'`);
    edits.replace(node, []);
  }
  for (const [name, tensor] of made) model.define(name, tensor, edits);
  return edits.apply();
}

/** The inputs of a node, if all are constants. */
async function constants(model: Model, names: readonly string[], made: ReadonlyMap<string, Tensor>): Promise<Value[] | undefined> {
  const isKnown = (name: string): boolean =>
    name === "" || made.has(name) || model.constants.has(name) || model.inferred.get(name)?.constant !== undefined;
  if (names.length === 0 || !names.every(isKnown)) return undefined;
  const values: (Value | undefined)[] = [];
  for (const name of names) {
    if (!name) {
      values.push(undefined);
      continue;
    }
    const tensor = made.get(name) ?? model.inferred.get(name)?.constant ?? (await model.read(name, MAX_READ));
    if (!tensor) return undefined;
    values.push(constantValue(tensor));
  }
  return values as Value[];
}
