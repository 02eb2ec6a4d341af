/** Integer products as they stand in a graph, and as dynamic quantization uses them. */
import { makeNode, type Node } from "../../graph/graph.ts";
import { dataType } from "../../graph/types.ts";
import { isStatic } from "../../ops/value.ts";
import { Edits, type Model } from "../../optimize/model.ts";
import { elements } from "../../tensor.ts";
import { channelsLastAround, isWell } from "./channels-last.ts";
import { constant, zeroPoints } from "./quantization.ts";

/**
 * Gives MatMulInteger and ConvInteger with constant weights to the kernels that read them packed, with the Cast and Mul that make floats of their
 * sums where they follow. The zero point of x and the scales are read when the model runs.
 */
export async function dynamicProducts(model: Model): Promise<boolean> {
  const edits = new Edits(model);
  for (const node of model.main.nodes) {
    const isConv = node.op_type === "ConvInteger";
    if (node.domain !== "" || (!isConv && node.op_type !== "MatMulInteger")) continue;
    const [x = "", w = "", x_zero = "", w_zero = ""] = node.input;
    const info = model.constants.get(w)?.info;
    const rank = info?.shape.length;
    if (isConv && !isWell(model, node)) continue;
    if (!info || !/^u?int8$/.test(info.dtype) || (isConv ? rank !== 3 && rank !== 4 : rank !== 2)) continue;
    if (x_zero && !isOne(model, x_zero)) continue;
    const n = info.shape[isConv ? 0 : 1] as number;
    const zeros = w_zero ? await constant(model, w_zero) : undefined;
    if (w_zero && (!zeros || (zeros.data.length !== 1 && zeros.data.length !== n))) continue;
    const end = floats(model, node, n, isConv);
    const shifts = zeros ? zeroPoints(model, edits, `${w}_zero`, info.dtype as "int8", Int32Array.from(zeros.data as Uint8Array), n) : "";
    const attributes = { ...node.attributes, to: dataType(end ? "float32" : "int32"), out: end ? "float" : "sum" };
    const input = [x, w, "", end?.scale ?? "", "", x_zero, shifts];
    const output = end?.output ?? (node.output[0] as string);
    for (const each of end ? [node, end.cast] : []) edits.replace(each, []);
    const nodes = isConv
      ? channelsLastAround(model, { ...node, op_type: "QConv", attributes }, input, output, rank as number)
      : [{ ...makeNode("QMatMul", input, [output], attributes, "edgeslim"), name: node.name }];
    edits.replace(end?.mul ?? node, nodes);
  }
  return edits.apply();
}

const isOne = (model: Model, name: string): boolean => {
  const { shape } = model.inferred.get(name) ?? {};
  return isStatic(shape) && elements(shape) === 1;
};

/** The Cast and the Mul by scales, one or one for each output, that follow a product and are all that reads it. */
function floats(
  model: Model,
  node: Node,
  n: number,
  isConv: boolean,
): { cast: Node; mul: Node; scale: string; output: string } | undefined {
  const [y = ""] = node.output;
  const cast = only(model, y);
  const made = cast?.output[0] as string;
  const mul = cast?.op_type === "Cast" && cast.attributes.to === dataType("float32") ? only(model, made) : undefined;
  if (!cast || mul?.op_type !== "Mul") return undefined;
  const scale = mul.input.find((name) => name !== made);
  const { dtype, shape } = model.inferred.get(scale ?? "") ?? {};
  if (!scale || dtype !== "float32" || !isStatic(shape)) return undefined;
  const rank = model.inferred.get(y)?.shape?.length ?? 0;
  const axis = isConv ? 1 - rank : -1;
  const isRow = elements(shape) === n && shape.at(axis) === n && shape.length <= rank;
  return elements(shape) === 1 || isRow ? { cast, mul, scale, output: mul.output[0] as string } : undefined;
}

/** The only reader of a value. */
function only(model: Model, name: string): Node | undefined {
  const node = model.isPrivate(name) ? model.uses(name)[0]?.node : undefined;
  return node?.domain === "" ? node : undefined;
}
