/**
 * Operators on quantized tensors, spelled with QuantizeLinear, DequantizeLinear and operators on floats, or as integer products: what fuses those
 * fuses these. https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
import { type Attribute, makeNode, type Node } from "../../graph/graph.ts";
import { dataType } from "../../graph/types.ts";
import { int } from "../../ops/op.ts";
import { Edits, type Model } from "../../optimize/model.ts";
import { constant } from "./quantization.ts";

/** What stands for one node. */
class Spelling {
  readonly nodes: Node[] = [];
  readonly model: Model;
  readonly edits: Edits;
  readonly #node: Node;

  constructor(model: Model, edits: Edits, node: Node) {
    this.model = model;
    this.edits = edits;
    this.#node = node;
  }

  /** Adds a node; gives the name of its first output. */
  put(op_type: string, input: readonly string[], attributes: Record<string, Attribute> = {}, output = this.fresh(op_type)): string {
    this.nodes.push({ ...makeNode(op_type, [...input], [output], attributes), name: this.#node.name });
    return output;
  }

  fresh(what: string): string {
    return this.model.fresh(`${this.y}_${what}`);
  }

  /** The one output of the node. */
  get y(): string {
    return this.#node.output[0] as string;
  }

  /** What a tensor of integers stands for, which comes with its scale and zero point. */
  float(from: number, axis = 0): string {
    const [x = "", scale = "", zero = ""] = this.#node.input.slice(from, from + 3);
    return this.put("DequantizeLinear", zero ? [x, scale, zero] : [x, scale], { axis });
  }

  /** Writes floats to the output by the scale and zero point at `from`. */
  quantize(x: string, from: number): void {
    const [scale = "", zero = ""] = this.#node.input.slice(from, from + 2);
    this.put("QuantizeLinear", zero ? [x, scale, zero] : [x, scale], {}, this.y);
  }

  /** Whether the scale and the zero point of the tensor at `from` are as many. */
  isEven(from: number): boolean {
    const [scale, zero] = [1, 2].map((i) => this.shape(this.#node.input[from + i])?.join());
    return !this.#node.input[from + 2] || scale === zero;
  }

  /** The product of two scales, the first one number. */
  async scales(a: string, b: string): Promise<string | undefined> {
    const [left, right] = [await constant(this.model, a), await constant(this.model, b)];
    if (left?.dtype !== "float32" || right?.dtype !== "float32" || left.data.length !== 1) return undefined;
    const name = this.fresh("scale");
    const data = Float32Array.from(right.data as Float32Array, (scale) => scale * (left.data[0] as number));
    this.model.define(name, { dtype: "float32", shape: right.shape, data }, this.edits);
    return name;
  }

  shape(name: string | undefined): readonly (number | string)[] | undefined {
    return this.model.inferred.get(name ?? "")?.shape;
  }

  isOne(name: string | undefined): boolean {
    return this.shape(name)?.every((d) => d === 1) === true;
  }
}

/** Spells a node; false where it stays. */
type Spell = (node: Node, to: Spelling) => boolean | Promise<boolean>;

/** Operators of x, its scale and zero point, then those of y. */
const unary =
  (op_type: string): Spell =>
  ({ attributes }, to) => {
    to.quantize(to.put(op_type, [to.float(0)], plain(attributes)), 3);
    return true;
  };
/** Of a with its own, then b. */
const binary =
  (op_type: string): Spell =>
  (_node, to) => {
    to.quantize(to.put(op_type, [to.float(0), to.float(3)]), 6);
    return true;
  };
const plain = ({ channels_last: _, opset: _opset, ...attributes }: Node["attributes"]): Record<string, Attribute> => attributes;
const channelsFirst =
  (spell: Spell): Spell =>
  (node, to) =>
    int(node, "channels_last", 0) === 0 && spell(node, to);

const conv: Spell = async ({ input, attributes }, to) => {
  const [, x_scale = "", , w = "", w_scale = "", , , , bias = ""] = input;
  if (!to.model.constants.has(w) || !to.isOne(x_scale) || !to.isEven(3)) return false;
  const scale = bias ? await to.scales(x_scale, w_scale) : "";
  if (scale === undefined) return false;
  const inputs = [to.float(0), to.float(3)];
  if (bias) inputs.push(to.put("DequantizeLinear", [bias, scale], { axis: 0 }));
  to.quantize(to.put("Conv", inputs, attributes as Record<string, Attribute>), 6);
  return true;
};

const matmul: Spell = async ({ input }, to) => {
  const [a = "", a_scale = "", a_zero = "", b = "", b_scale = "", b_zero = ""] = input;
  const rank = to.shape(b)?.length ?? 0;
  if (!to.isOne(a_scale) || (to.shape(b_scale)?.length ?? 2) > 1) return false;
  if (to.model.constants.has(b) && rank === 2 && to.isEven(3)) {
    to.quantize(to.put("MatMul", [to.float(0), to.float(3, 1)]), 6);
    return true;
  }
  const scale = await to.scales(a_scale, b_scale);
  if (!scale) return false;
  to.quantize(to.put("Mul", [floatSums(to, [a, b, a_zero, b_zero]), scale]), 6);
  return true;
};

/** Sums of an integer product as floats. */
const floatSums = (to: Spelling, inputs: readonly string[]): string =>
  to.put("Cast", [to.put("MatMulInteger", inputs)], { to: dataType("float32") });

const gemm: Spell = async (node, to) => {
  const [, a_scale = "", , b = "", b_scale = "", , c = "", , y_zero = ""] = node.input;
  if (int(node, "transA", 0) !== 0 || int(node, "alpha", 1) !== 1 || !to.model.constants.has(b) || !to.isOne(a_scale) || !to.isEven(3))
    return false;
  const scale = c ? await to.scales(a_scale, b_scale) : "";
  if (scale === undefined) return false;
  const transB = int(node, "transB", 0);
  const inputs = [to.float(0), to.float(3, transB ? 0 : 1)];
  if (c) inputs.push(to.put("DequantizeLinear", [c, scale], { axis: -1 }));
  if (y_zero) to.quantize(to.put("Gemm", inputs, { transB }), 7);
  else to.put("Gemm", inputs, { transB }, to.y);
  return true;
};

/** Scale and zero point of y, then each tensor with its own. */
const concat: Spell = ({ input, attributes }, to) => {
  const parts = Array.from({ length: (input.length - 2) / 3 }, (_, i) => to.float(2 + 3 * i));
  to.quantize(to.put("Concat", parts, attributes as Record<string, Attribute>), 0);
  return true;
};

/** Older ones take all axes from the given one on together. */
const softmax: Spell = (node, to) => int(node, "opset", 13) >= 13 && to.model.opset >= 13 && unary("Softmax")(node, to);

/** Integers a and b times both scales, and a bias. */
function scaled(to: Spelling, inputs: readonly string[], [a_scale = "", b_scale = ""]: readonly string[], bias: string): boolean {
  const sums = floatSums(to, inputs);
  const scale = to.put("Mul", [a_scale, b_scale]);
  if (bias) to.put("Add", [to.put("Mul", [sums, scale]), bias], {}, to.y);
  else to.put("Mul", [sums, scale], {}, to.y);
  return true;
}

const integerToFloat: Spell = ({ input }, to) => {
  const [a = "", b = "", a_scale = "", b_scale = "", a_zero = "", b_zero = "", bias = ""] = input;
  return to.isOne(a_scale) && scaled(to, [a, b, a_zero, b_zero], [a_scale, b_scale], bias);
};

const dynamicMatmul: Spell = ({ input }, to) => {
  const [a = "", b = "", b_scale = "", b_zero = "", bias = ""] = input;
  const parts = ["quantized", "scale", "zero_point"].map((part) => to.fresh(part));
  to.nodes.push(makeNode("DynamicQuantizeLinear", [a], parts));
  const [values = "", a_scale = "", a_zero = ""] = parts;
  return scaled(to, [values, b, a_zero, b_zero], [a_scale, b_scale], bias);
};

const same: Spell = ({ op_type, input, attributes }, to) => {
  to.put(op_type, input, attributes as Record<string, Attribute>, to.y);
  return true;
};

const ONNX: Readonly<Record<string, Spell>> = { QLinearConv: conv, QLinearMatMul: matmul };
const MICROSOFT: Readonly<Record<string, Spell>> = {
  QLinearConv: channelsFirst(conv),
  QGemm: gemm,
  QLinearAdd: binary("Add"),
  QLinearMul: binary("Mul"),
  QLinearSigmoid: unary("Sigmoid"),
  QLinearLeakyRelu: unary("LeakyRelu"),
  QLinearSoftmax: softmax,
  QLinearAveragePool: channelsFirst(unary("AveragePool")),
  QLinearGlobalAveragePool: channelsFirst(unary("GlobalAveragePool")),
  QLinearConcat: concat,
  MatMulIntegerToFloat: integerToFloat,
  DynamicQuantizeMatMul: dynamicMatmul,
  QuantizeLinear: same,
  DequantizeLinear: same,
};
const TABLES: Readonly<Record<string, Readonly<Record<string, Spell>>>> = { "": ONNX, "com.microsoft": MICROSOFT };

/** Spells out operators on quantized tensors, where the integers are of eight bits. */
export async function qoperators(model: Model): Promise<boolean> {
  const edits = new Edits(model);
  for (const node of model.main.nodes) {
    const spell = TABLES[node.domain]?.[node.op_type];
    const of = (name: string) => model.inferred.get(name)?.dtype;
    if (!spell || [...node.input, ...node.output].some((name) => name && !/^(u?int8|int32|float32)$/.test(of(name) ?? ""))) continue;
    const to = new Spelling(model, edits, node);
    if ((await spell(node, to)) && to.nodes.every(isTold)) edits.replace(node, to.nodes);
  }
  return edits.apply();

  /** Whether what a QuantizeLinear gives is what the node gave: without a zero point it is uint8. */
  function isTold({ op_type, input, output }: Node): boolean {
    return op_type !== "QuantizeLinear" || Boolean(input[2]) || model.inferred.get(output[0] as string)?.dtype === "uint8";
  }
}
