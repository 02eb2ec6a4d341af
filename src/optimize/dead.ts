import { type Node, reads } from "../graph/graph.ts";
import { Edits, type Model } from "./model.ts";

/** Removes nodes that nothing comes of, and constants that nothing reads. Inputs of the graph stay: callers give them. */
export function dead(model: Model): boolean {
  const edits = new Edits(model);
  const live = liveNames(model);
  for (const node of model.main.nodes) {
    if (!node.output.some((name) => live.has(name)) && !constantOf(model, node.output[0])) edits.replace(node, []);
  }
  for (const [name, { constant }] of model.constants) {
    if (live.has(name)) continue;
    if (constant) edits.replace(constant, []);
    edits.undefine(name);
    model.drop(name);
  }
  return edits.apply();
}

/** The names of values from which an output of the graph is made. */
function liveNames(model: Model): Set<string> {
  const names = new Set(model.main.outputs);
  const nodes = new Set<Node>();
  for (const name of names) {
    const node = model.producer(name);
    if (!node || nodes.has(node)) continue;
    nodes.add(node);
    for (const each of reads(node)) if (each) names.add(each);
  }
  return names;
}

const constantOf = (model: Model, name = ""): boolean => model.constants.get(name)?.constant !== undefined;
