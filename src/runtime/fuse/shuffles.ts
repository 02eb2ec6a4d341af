import { makeNode } from "../../graph/graph.ts";
import type { Dims } from "../../ops/value.ts";
import { Edits, type Model } from "../../optimize/model.ts";

/** Makes one operator of a channel shuffle: channels in groups, turned, and put together again. https://arxiv.org/abs/1707.01083 */
export function shuffles(model: Model): boolean {
  const edits = new Edits(model);
  const shapeOf = (name: string): Dims | undefined => model.inferred.get(name)?.shape;
  for (const node of model.main.nodes) {
    const [y = ""] = node.output;
    const turn = node.op_type === "Reshape" ? model.producer(node.input[0] as string) : undefined;
    const split = turn?.op_type === "Transpose" ? model.producer(turn.input[0] as string) : undefined;
    if (split?.op_type !== "Reshape" || !turn || String(turn.attributes.perm) !== "0,2,1,3,4") continue;
    const [x = ""] = split.input;
    const [whole, parts, joined] = [shapeOf(x), shapeOf(split.output[0] as string), shapeOf(y)];
    const [, c] = whole ?? [];
    const [, group, each] = parts ?? [];
    if (whole?.length !== 4 || parts?.length !== 5 || joined?.length !== 4 || typeof c !== "number" || typeof group !== "number") continue;
    const isShuffle =
      each === c / group && joined[1] === c && [0, 2, 3].every((i) => whole[i] === joined[i] && whole[i] === parts[i && i + 1]);
    if (isShuffle) edits.replace(node, [makeNode("ChannelShuffle", [x], [y], { group, axis: 1 }, "edgeslim")]);
  }
  return edits.apply();
}
