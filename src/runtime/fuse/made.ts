import type { Node } from "../../graph/graph.ts";
import { topological } from "../../graph/graph.ts";
import { operator } from "../../ops/index.ts";
import { isStatic } from "../../ops/value.ts";
import { type Constant, Edits, type Model } from "../../optimize/model.ts";
import { elements } from "../../tensor.ts";

/** A node that makes a constant of others. */
export interface Made {
  node: Node;
  inputs: readonly (Constant | undefined)[];
}

/** What takes longer than its inputs are large is left to the run, whose kernels are quicker, and which can be aborted; so is what is random. */
const HEAVY =
  /MatMul|Gemm|Conv|Einsum|LSTM|GRU|RNN|DFT|STFT|Attention|Det|Inverse|Pool|Resize|Upsample|Random|Bernoulli|Multinomial|Tile|Expand|TopK|Unique|GridSample|RoiAlign/;
/** How much larger than its inputs a constant may be. */
const MAX_GROWTH = 16;

/**
 * Takes nodes out of the graph that make constants of constants, too large to be known one by one: a weight that is dequantized or cast. They
 * are computed once, when the model is loaded. Gives them by what they make.
 */
export function madeOnce(model: Model): ReadonlyMap<string, Made> {
  const edits = new Edits(model);
  const made = new Map<string, Made>();
  for (const node of topological(model.main)) {
    const [y = "", ...more] = node.output;
    const { dtype, shape, constant } = model.inferred.get(y) ?? {};
    const isConstant = node.input.length > 0 && node.input.every((name) => !name || model.constants.has(name));
    const isPlain = dtype !== undefined && dtype !== "string" && isStatic(shape) && !more.some(Boolean) && node.graphs.length === 0;
    const op = operator(node);
    if (!isConstant || !isPlain || !y || model.isOutput(y) || !(op?.fold || op?.compute)) continue;
    const size = node.input.reduce((sum, name) => sum + elements(model.constants.get(name)?.info.shape ?? [0]), 0);
    if (!constant && (HEAVY.test(node.op_type) || elements(shape) > MAX_GROWTH * size)) continue;
    if (constant) {
      model.define(y, constant, edits);
      edits.replace(node, []);
      continue;
    }
    made.set(y, { node, inputs: node.input.map((name) => model.constants.get(name)) });
    model.constants.set(y, { info: { name: y, dtype, shape }, payload: undefined });
    edits.define(y);
    edits.replace(node, []);
  }
  edits.apply();
  return made;
}
