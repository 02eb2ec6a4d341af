import { describe, type Node } from "../../../graph/graph.ts";
import type { Axes, Labels, Reason } from "../atoms.ts";
import type { Coupling } from "../coupling.ts";

/**
 * What an operator does with channels: couples the axes of its inputs that depend on each other, and gives the labels of its outputs, by position.
 * Undefined where it cannot be followed: then everything that it reads stays.
 */
export type Rule = (node: Node, coupling: Coupling) => readonly (Axes | undefined)[] | undefined;

/** A reason that names its node. */
export const because = (node: Node, why: string): Reason => ({ node: describe(node), why });

/** An axis that reads another `times` over, each index so often in a row. */
export const repeated = (labels: Labels, times: number): Labels =>
  Int32Array.from({ length: labels.length * times }, (_, i) => labels[Math.floor(i / times)] as number);

/** An axis that is another one over and over. */
export const tiled = (labels: Labels, times: number): Labels =>
  Int32Array.from({ length: labels.length * times }, (_, i) => labels[i % labels.length] as number);
