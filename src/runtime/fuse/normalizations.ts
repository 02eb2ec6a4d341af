import { makeNode, type Node } from "../../graph/graph.ts";
import { axisOf, int } from "../../ops/op.ts";
import { floatsOf, integersOf } from "../../ops/value.ts";
import { Edits, type Model } from "../../optimize/model.ts";
import { either, type Found, find, made, number, type Pattern, value } from "./pattern.ts";
import { isRow } from "./products.ts";

/** The mean along the last axis, which stays with a size of 1. */
const mean =
  (inner: Pattern): Pattern =>
  (model, name, found) => {
    const node = model.producer(name);
    const [x = "", list] = node?.input ?? [];
    const rank = model.inferred.get(x)?.shape?.length;
    if (node?.op_type !== "ReduceMean" || node.domain !== "" || rank === undefined || int(node, "keepdims", 1) !== 1) return undefined;
    const axes = list ? integersOf(model.inferred.get(list)) : (node.attributes.axes as readonly number[] | undefined);
    return axes?.length === 1 && axisOf(axes[0] as number, rank) === rank - 1 ? inner(model, x, found) : undefined;
  };

const x = value("x");
const square = (of: Pattern): Pattern => either(made("Pow", of, number(2)), made("Mul", of, of));
const deviation = (of: Pattern): Pattern => made("Sqrt", made("Add", mean(square(of)), number("epsilon")));
/** What is divided by its own deviation. */
const over = (of: Pattern): Pattern => {
  const squares = made("Add", mean(square(of)), number("epsilon"));
  return either(
    made("Div", of, deviation(of)),
    made("Mul", of, either(made("Div", number(1), deviation(of)), made("Reciprocal", deviation(of)), made("Pow", squares, number(-0.5)))),
  );
};
const centred = made("Sub", x, mean(x));
const scale = value("scale");
const inverse = made("Reciprocal", deviation(centred));
/** As TensorFlow has it: x · (scale / deviation) + (bias − mean · (scale / deviation)). */
const gain = made("Mul", inverse, scale);
const spread = made("Add", made("Mul", x, gain), made("Sub", value("bias"), made("Mul", mean(x), gain)));

const LAYER = either(spread, made("Add", made("Mul", over(centred), scale), value("bias")));
const UNBIASED = made("Mul", over(centred), scale);
const ROOT = made("Mul", over(x), scale);

/** Makes one operator of a normalization that is spelled out: along the last axis, or of groups of channels. */
export function normalizations(model: Model): boolean {
  const edits = new Edits(model);
  for (const node of model.main.nodes.toReversed()) {
    if (node.domain !== "" || edits.isTouched(node)) continue;
    const [y = ""] = node.output;
    if (model.inferred.get(y)?.dtype !== "float32") continue;
    const one = node.op_type === "Add" || node.op_type === "Mul" ? (layered(model, node, y) ?? grouped(model, edits, y)) : undefined;
    if (one) edits.replace(node, [one]);
  }
  return edits.apply();
}

function layered(model: Model, { op_type }: Node, y: string): Node | undefined {
  const isScaled = ({ values }: Found) => {
    const n = model.inferred.get(values.x as string)?.shape?.at(-1);
    return typeof n === "number" && [values.scale, values.bias].every((name) => name === undefined || isRow(model, name, n));
  };
  const patterns = op_type === "Add" ? [LAYER] : [UNBIASED, ROOT];
  for (const pattern of patterns) {
    const found = find(pattern, model, y);
    if (!found || !isScaled(found)) continue;
    const { x, scale, bias } = found.values as Record<string, string>;
    const inputs = [x, scale, bias].filter((name) => name !== undefined);
    const attributes = { axis: -1, epsilon: found.numbers.epsilon as number };
    return makeNode(pattern === ROOT ? "SimplifiedLayerNormalization" : "LayerNormalization", inputs, [y], attributes);
  }
  return undefined;
}

const reshaped: Pattern = made(
  "Reshape",
  (model, name, found) => {
    const node = model.producer(name);
    const [x = "", scale = "", bias = ""] = node?.input ?? [];
    const [ones, zeros] = [scale, bias].map((each) => floatsOf(model.inferred.get(each)));
    if (node?.op_type !== "InstanceNormalization" || node.domain !== "" || !ones?.every((v) => v === 1) || !zeros?.every((v) => v === 0))
      return undefined;
    const epsilon = typeof node.attributes.epsilon === "number" ? node.attributes.epsilon : 1e-5;
    return made("Reshape", value("x"), value("split"))(model, x, {
      values: found.values,
      numbers: { ...found.numbers, groups: ones.length, epsilon },
    });
  },
  value("joined"),
);
const GROUPED = made("Add", made("Mul", reshaped, scale), value("bias"));

/** An InstanceNormalization of [N, groups, …] whose result gets its shape back, then a scale and a bias for each channel. */
function grouped(model: Model, edits: Edits, y: string): Node | undefined {
  const found = find(GROUPED, model, y);
  const { x = "", scale = "", bias = "", split = "" } = found?.values ?? {};
  const [from, to] = [x, y].map((name) => model.inferred.get(name)?.shape);
  const [scales, biases] = [scale, bias].map((name) => model.inferred.get(name));
  const channels = from?.[1];
  const { groups = 1, epsilon = 0 } = found?.numbers ?? {};
  const isByChannel = [scales, biases].every(
    (each) => floatsOf(each)?.length === channels && each?.shape?.length === (from?.length ?? 0) - 1 && each?.shape?.[0] === channels,
  );
  const parts = integersOf(model.inferred.get(split));
  if (!from || from.length < 3 || from.join() !== to?.join() || !isByChannel || typeof channels !== "number") return undefined;
  if (parts?.[1] !== groups || channels % groups !== 0 || (parts[0] !== 0 && parts[0] !== from[0])) return undefined;
  const lists = [scales, biases].map((each, i) => {
    const name = model.fresh(`${[scale, bias][i]}_by_channel`);
    model.define(name, { dtype: "float32", shape: [channels], data: Float32Array.from(floatsOf(each) as number[]) }, edits);
    return name;
  });
  return makeNode("GroupNormalization", [x, ...lists], [y], { num_groups: groups, epsilon });
}

/** Bytes of a list of one number a channel, at most. */
const MAX_CHANNELS = 1 << 20;

/** Makes a factor and a summand for each channel of a BatchNormalization that went into no product. */
export async function batchNormalizations(model: Model): Promise<boolean> {
  const edits = new Edits(model);
  for (const node of model.main.nodes) {
    const [x = "", ...lists] = node.input;
    const [y = "", ...statistics] = node.output;
    const { dtype, shape } = model.inferred.get(x) ?? {};
    const isPlain =
      node.op_type === "BatchNormalization" && node.domain === "" && !int(node, "training_mode", 0) && int(node, "spatial", 1);
    if (!isPlain || dtype !== "float32" || !shape || shape.length < 2 || statistics.some(Boolean)) continue;
    const [scales, biases, means, variances] = await Promise.all(lists.map((name) => model.read(name, MAX_CHANNELS)));
    const all = [scales, biases, means, variances].map((each) => each?.data);
    if (!all.every((each) => each instanceof Float32Array && each.length === shape[1])) continue;
    const [s, b, m, v] = all as [Float32Array, Float32Array, Float32Array, Float32Array];
    const epsilon = typeof node.attributes.epsilon === "number" ? node.attributes.epsilon : 1e-5;
    const factors = Float32Array.from(s, (each, c) => each / Math.sqrt((v[c] as number) + epsilon));
    const summands = Float32Array.from(
      b,
      (each, c) => each - ((m[c] as number) * (s[c] as number)) / Math.sqrt((v[c] as number) + epsilon),
    );
    const define = (what: string, data: Float32Array) => {
      const name = model.fresh(`${y}_${what}`);
      model.define(name, { dtype: "float32", shape: [data.length, ...new Array<number>(shape.length - 2).fill(1)], data }, edits);
      return name;
    };
    const scaled = model.fresh(`${y}_scaled`);
    edits.replace(node, [
      makeNode("Mul", [x, define("factor", factors)], [scaled]),
      makeNode("Add", [scaled, define("summand", summands)], [y]),
    ]);
  }
  return edits.apply();
}
