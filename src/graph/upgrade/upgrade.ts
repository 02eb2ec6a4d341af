import { UnsupportedError } from "../../errors.ts";
import { type Graph, graphs, type Node } from "../graph.ts";
import { Patch } from "../patch.ts";
import { OPERATORS } from "./table.ts";
import { type Model, Workbench } from "./workbench.ts";

/** The opsets of ai.onnx between which models can be upgraded. */
export const FIRST_OPSET = 7;
export const LAST_OPSET = 21;

export interface Upgrade {
  patch: Patch;
  /** Nodes that others take the place of; those whose definitions mean the same are not among them. */
  nodes: Node[];
}

/**
 * The edits that make a graph written for opset `from` mean the same under opset `to`, subgraphs included. Nodes of other domains stay.
 * UnsupportedError names the node that cannot follow.
 */
export function upgrade(main: Graph, from: number, to: number, model: Model): Upgrade {
  if (from < FIRST_OPSET || to > LAST_OPSET)
    throw new UnsupportedError(`A model can be upgraded from opset ${FIRST_OPSET} to ${LAST_OPSET} at most, not from ${from} to ${to}`);
  const patch = new Patch();
  const bench = new Workbench(main, patch, model, { from, to });
  const nodes: Node[] = [];
  for (const graph of graphs(main)) {
    bench.graph = graph;
    for (const node of graph.nodes) {
      if (node.domain !== "") continue;
      const made = upgraded(node, from, to, bench);
      if (made.length === 1 && made[0] === node) continue;
      patch.replace(node, made);
      nodes.push(node);
    }
  }
  return { patch, nodes };
}

function upgraded(node: Node, from: number, to: number, bench: Workbench): readonly Node[] {
  const row = OPERATORS.get(node.op_type);
  const { since = FIRST_OPSET, gone = Number.POSITIVE_INFINITY } = row ?? {};
  if (!row || from < since || from >= gone) bench.refuse(node, `is not an operator of opset ${from}`);
  let nodes: readonly Node[] = [node];
  for (let opset = from + 1; opset <= to; opset++) {
    nodes = nodes.flatMap((each) => OPERATORS.get(each.op_type)?.[opset]?.(each, bench) ?? [each]);
  }
  return nodes;
}
