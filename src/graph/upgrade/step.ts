import type { Node } from "../graph.ts";
import type { Workbench } from "./workbench.ts";

/** What becomes of a node when the definition of its operator changes: itself, or nodes in its place that mean the same. */
export type Step = (node: Node, bench: Workbench) => readonly Node[];

/** The change widens what the operator takes: more types, or an attribute whose default is what was. */
export const same: Step = (node) => [node];

/** The change cannot be followed. */
export const refused =
  (why: string): Step =>
  (node, bench) =>
    bench.refuse(node, why);

/** Attributes less some. */
export const without = (node: Node, ...names: string[]): Node["attributes"] =>
  Object.fromEntries(Object.entries(node.attributes).filter(([name]) => !names.includes(name)));
