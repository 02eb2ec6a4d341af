/** Attributes that became inputs. https://onnx.ai/onnx/operators/ */
import { edited, type Node } from "../graph.ts";
import { type Step, without } from "./step.ts";

/** The bounds that Clip has where it names none, as float32: the least and greatest finite numbers of any type. */
const GREATEST_FLOAT = 3.4028234663852886e38;

const moved = (node: Node, input: string[], ...attributes: string[]): Node[] => {
  while (input.at(-1) === "") input.pop();
  return [edited(node, { input, attributes: without(node, ...attributes) })];
};

/** ReduceSum, Squeeze at 13, the other reductions at 18. No axes, or none in the list, means all. */
export const axes: Step = (node, bench) => {
  const list = bench.axes(node);
  if (list === undefined) return [node];
  return moved(node, [bench.input(node), list.length > 0 ? bench.vector("axes", list) : ""], "axes");
};

/** Unsqueeze at 13. */
export const requiredAxes: Step = (node, bench) => {
  const list = bench.axes(node) ?? bench.refuse(node, "has no attribute 'axes'");
  return moved(node, [bench.input(node), bench.vector("axes", list)], "axes");
};

/** Split at 13. */
export const split: Step = (node, bench) => {
  const sizes = bench.ints(node, "split");
  if (sizes === undefined) return [node];
  if (sizes.some((size) => size < 0)) bench.refuse(node, `splits into [${sizes}], and sizes are not negative`);
  return moved(node, [bench.input(node), sizes.length > 0 ? bench.vector("split", sizes) : ""], "split");
};

/** Slice at 10. Bounds beyond a dimension stand for its ends, so that what a double does not hold exactly does no harm. */
export const slice: Step = (node, bench) => {
  const [starts, ends, at] = [bench.ints(node, "starts", true), bench.ints(node, "ends", true), bench.axes(node)];
  if (!starts || !ends) return bench.refuse(node, "has no attributes 'starts' and 'ends'");
  if (starts.length !== ends.length || (at && at.length !== starts.length))
    bench.refuse(node, `has ${starts.length} starts, ${ends.length} ends and ${at?.length ?? "no"} axes`);
  const input = [bench.input(node), bench.vector("starts", starts), bench.vector("ends", ends), at ? bench.vector("axes", at) : ""];
  return moved(node, input, "starts", "ends", "axes");
};

/** TopK at 10. */
export const k: Step = (node, bench) => {
  const count = bench.int(node, "k", -1);
  if (count < 0) bench.refuse(node, "has no attribute 'k' that is a number of elements");
  return moved(node, [bench.input(node), bench.vector("K", [count])], "k");
};

/** Pad at 11. */
export const pad: Step = (node, bench) => {
  const pads = bench.ints(node, "pads") ?? bench.refuse(node, "has no attribute 'pads'");
  const value = bench.number(node, "value", 0);
  const data = bench.input(node);
  const constant = bench.text(node, "mode", "constant") === "constant" && !Object.is(value, 0);
  const filler = constant ? bench.floatScalar(node, "constant_value", value, data) : { name: "", nodes: [] };
  return [...filler.nodes, ...moved(node, [data, bench.vector("pads", pads), filler.name], "pads", "value")];
};

/** Clip at 11. */
export const clip: Step = (node, bench) => {
  const data = bench.input(node);
  const bound = (role: string, otherwise: number) => {
    const value = bench.number(node, role, otherwise);
    return value === otherwise ? { name: "", nodes: [] } : bench.floatScalar(node, role, value, data);
  };
  const [min, max] = [bound("min", -GREATEST_FLOAT), bound("max", GREATEST_FLOAT)];
  if (node.attributes.min === undefined && node.attributes.max === undefined) return [node];
  return [...min.nodes, ...max.nodes, ...moved(node, [data, min.name, max.name], "min", "max")];
};

/** Dropout at 12, where the mask holds the opposite. The ratio, which is for training, may be of any float type. */
export const dropout: Step = (node, bench) => {
  const [plain] = unmasked(node, bench) as [Node];
  if (node.attributes.ratio === undefined) return [plain];
  const ratio = bench.number(node, "ratio", 0.5);
  return moved(plain, [bench.input(node), ratio >= 0 && ratio < 1 ? bench.float("ratio", ratio) : ""], "ratio");
};

/** Dropout at 10: the mask was of the type of the data, and is bool. */
export const unmasked: Step = (node, bench) => {
  const [output = "", mask = ""] = node.output;
  if (mask && bench.isRead(mask)) bench.refuse(node, `gives out its mask '${mask}', which has other values or another type later`);
  return [node.output.length > 1 ? edited(node, { output: [output] }) : node];
};

/** DFT at 20, whose default went from the first axis after the batch to the last before the complex one. */
export const dftAxis: Step = (node, bench) => {
  const axis = bench.scalar("axis", bench.axis(node, 1));
  return moved(node, [bench.input(node, 2), node.input[1] ?? "", axis], "axis");
};

/** Split at 18 wants the number of its outputs where it has no sizes. */
export const num_outputs: Step = (node) =>
  node.input[1] ? [node] : [edited(node, { attributes: { ...node.attributes, num_outputs: node.output.length } })];
