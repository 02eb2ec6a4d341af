import { type Attribute, makeNode, type Node } from "../../graph/graph.ts";
import { dataType } from "../../graph/types.ts";
import { Edits, type Model } from "../../optimize/model.ts";
import type { Tensor } from "../../tensor.ts";
import { channelsLastAround, isWell } from "./channels-last.ts";
import { dequantized, dequantizedBias, type Quantized, range, zeroPoints } from "./quantization.ts";
import { type End, endOf, limits } from "./quantized-end.ts";

/** Convolutions and products of dequantized tensors, which integer kernels do: with the bytes as they are. */
export async function quantizedProducts(model: Model): Promise<boolean> {
  const edits = new Edits(model);
  for (const node of model.main.nodes) {
    if (node.domain !== "" || !/^(Conv|MatMul|Gemm)$/.test(node.op_type)) continue;
    const [a = "", b = "", c] = node.input;
    const [x, w] = [await dequantized(model, a), await dequantized(model, b)];
    if (!x || !w || x.scale.length !== 1 || !isFit(model, node, w)) continue;
    const end = await endOf(model, node);
    const bias = c ? await biasOf(model, c) : undefined;
    if (c && !bias) continue;
    const nodes = product(model, edits, node, { x, w, bias, end });
    if (!nodes) continue;
    for (const each of end.nodes) edits.replace(each, []);
    edits.replace(node, nodes);
  }
  return edits.apply();
}

interface Bias {
  floats: Float32Array;
  /** int32 with these scales. */
  q?: { name: string; scale: Float32Array };
}

interface Parts {
  x: Quantized;
  w: Quantized;
  bias: Bias | undefined;
  end: End;
}

/** Whether the weight is a constant with a scale for all or one for each output. */
function isFit(model: Model, node: Node, w: Quantized): boolean {
  const shape = model.constants.get(w.name)?.info.shape;
  if (!shape || (node.op_type === "Conv" && !isWell(model, node))) return false;
  const { alpha = 1, beta = 1, transA = 0, transB = 0 } = node.attributes;
  const isMatrix = node.op_type !== "Conv";
  const channels = isMatrix && !transB ? 1 : 0;
  if (isMatrix ? shape.length !== 2 || alpha !== 1 || beta !== 1 || transA !== 0 : shape.length !== 4 && shape.length !== 3) return false;
  return w.scale.length === 1 || (w.axis === channels && w.scale.length === shape[channels]);
}

async function biasOf(model: Model, name: string): Promise<Bias | undefined> {
  const found = await dequantizedBias(model, name);
  if (found) return { floats: found.floats, q: { name: found.q, scale: found.scale } };
  const tensor = model.inferred.get(name)?.constant ?? (await model.read(name, 1 << 22));
  const isRow = tensor?.dtype === "float32" && tensor.shape.slice(0, -1).every((d) => d === 1);
  return isRow ? { floats: tensor.data as Float32Array } : undefined;
}

function product(model: Model, edits: Edits, node: Node, { x, w, bias, end }: Parts): Node[] | undefined {
  const isConv = node.op_type === "Conv";
  const shape = model.constants.get(w.name)?.info.shape as readonly number[];
  const n = shape[isConv || node.attributes.transB ? 0 : 1] as number;
  const [x_scale = 1] = x.scale;
  const sums = Float32Array.from({ length: n }, (_, i) => Math.fround(x_scale * (w.scale[w.scale.length === 1 ? 0 : i] as number)));
  const { q, activation } = end;
  const { bounds, rest } = limits(activation, q);
  const spread = bias && (bias.floats.length === 1 ? new Float32Array(n).fill(bias.floats[0] as number) : bias.floats);
  if (spread && spread.length !== n) return undefined;
  const isOwn = bias?.floats.length === n;
  const isExact = q && !rest && (!bias || (isOwn && bias.q?.scale.every((scale, i) => near(scale, sums[i] as number))));
  const name = (what: string, tensor: Tensor): string => {
    const fresh = model.fresh(`${end.output}_${what}`);
    model.define(fresh, tensor, edits);
    return fresh;
  };
  const floats = (data: Float32Array): Tensor => ({ dtype: "float32", shape: [data.length], data });
  const [y_scale = 1, y_zero = 0] = [q?.scale[0], q?.zero[0]];
  const scale = name("scale", floats(isExact ? sums.map((s) => Math.fround(s / y_scale)) : sums));
  const added = !bias ? "" : isExact && bias.q ? bias.q.name : name("bias", floats(spread as Float32Array));
  const [low, high] = bounds ?? range(q?.dtype ?? "uint8");
  const attributes: Record<string, Attribute> = {
    ...node.attributes,
    to: dataType(q?.dtype ?? "float32"),
    out: isExact ? "byte" : q ? "float byte" : "float",
    x_zero: x.zero[0] as number,
    ...(q && { y_scale, y_zero, low, high }),
    ...(rest ?? {}),
  };
  const w_zero = zeroPoints(model, edits, `${w.name}_zero`, w.dtype, w.zero, n);
  const inputs = [x.name, w.name, added, scale, ...(w_zero ? ["", "", w_zero] : [])];
  if (!isConv) return [{ ...makeNode("QMatMul", inputs, [end.output], attributes, "edgeslim"), name: node.name }];
  return channelsLastAround(model, { ...node, op_type: "QConv", attributes }, inputs, end.output, shape.length);
}

const near = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-6 * Math.abs(b);
