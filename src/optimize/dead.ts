import { Edits, type Model } from "./model.ts";

/** Removes nodes whose outputs nobody reads, and constants that nothing reads. Inputs of the graph stay: callers give them. */
export function dead(model: Model): boolean {
  const edits = new Edits(model);
  const isRead = (name: string): boolean => name !== "" && (model.uses(name).length > 0 || model.isOutput(name));
  for (const node of model.main.nodes) {
    if (!node.output.some(isRead) && !constantOf(model, node.output[0])) edits.replace(node, []);
  }
  for (const [name, { constant }] of model.constants) {
    if (isRead(name)) continue;
    if (constant) edits.replace(constant, []);
    edits.undefine(name);
    model.drop(name);
  }
  return edits.apply();
}

const constantOf = (model: Model, name = ""): boolean => model.constants.get(name)?.constant !== undefined;
