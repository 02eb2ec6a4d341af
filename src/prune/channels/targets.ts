/** Operands that say a shape, element by element: of Reshape, Expand and the like. */
import type { Node } from "../../graph/graph.ts";
import { int } from "../../ops/op.ts";
import type { Coupling } from "./coupling.ts";

/** The constant that says an element of a shape; undefined for one that is computed. */
export type Saying = { constant: string; index: number } | undefined;

/** Who says each element of a shape operand: a constant, or a Concat that has some among its inputs. Undefined where that is not known. */
export function sayings(c: Coupling, name: string): readonly Saying[] | undefined {
  const length = c.sizes(name)?.[0];
  if (length === undefined) return undefined;
  if (c.isConstant(name)) return Array.from({ length }, (_, index) => ({ constant: name, index }));
  const node = c.maker(name);
  if (!node || !isConcat(node)) return new Array<Saying>(length).fill(undefined);
  const all = node.input.map((input): readonly Saying[] | undefined => {
    const own = c.sizes(input)?.[0];
    if (own === undefined) return undefined;
    return Array.from({ length: own }, (_, index) => (c.isConstant(input) ? { constant: input, index } : undefined));
  });
  return all.every((each) => each !== undefined) ? all.flat() : undefined;
}

export const isConcat = (node: Node): boolean => node.domain === "" && node.op_type === "Concat" && int(node, "axis", 0) === 0;
