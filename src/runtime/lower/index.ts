/** Which operators kernels run; every export of a family is one, under its name. The others are computed plainly. */
import type { Node } from "../../graph/graph.ts";
import type { Lower } from "./lower.ts";

const LOWERED: ReadonlyMap<string, ReadonlyMap<string, Lower>> = new Map([
  ["", new Map<string, Lower>()],
  ["edgeslim", new Map<string, Lower>()],
]);

export const lowering = ({ domain, op_type }: Node): Lower | undefined => LOWERED.get(domain)?.get(op_type);
