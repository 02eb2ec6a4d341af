/** Products with weights of a few bits that activations in float are multiplied with. */
import { type Attribute, makeNode, type Node } from "../../graph/graph.ts";
import { anyNumbers } from "../../ops/narrow.ts";
import { axisOf, int } from "../../ops/op.ts";
import { Edits, type Model } from "../../optimize/model.ts";
import { elements, type Tensor } from "../../tensor.ts";
import { isRow } from "./products.ts";
import { constant, linearOf } from "./quantization.ts";

/** How the kernel finds its weights, as `qbw_pack` has them; scales are names, zero points too or one number for all. */
interface Blocks {
  w: string;
  bits: 4 | 8;
  n: number;
  k: number;
  block: number;
  n_stride: number;
  k_stride: number;
  w_signed: number;
  scale: string;
  zeros: Float32Array | undefined;
  all_zero: number;
  scale_n: number;
  scale_b: number;
}

/** Gives MatMulNBits, and MatMul and Gemm with a dequantized constant, to the kernel that reads the weights as few bits. */
export async function blockProducts(model: Model): Promise<boolean> {
  const edits = new Edits(model);
  for (const node of model.main.nodes) {
    const [x = ""] = node.input;
    const [y = ""] = node.output;
    if (model.inferred.get(x)?.dtype !== "float32") continue;
    if (node.domain === "com.microsoft" && node.op_type === "MatMulBnb4") {
      if (node.input.slice(1).every((name) => model.constants.has(name))) edits.replace(node, asFloats(model, node));
      continue;
    }
    const isPacked = node.domain === "com.microsoft" && node.op_type === "MatMulNBits";
    const blocks = isPacked ? await packed(model, node) : await linear(model, node);
    if (!blocks || (blocks.block % 8 !== 0 && blocks.block < blocks.k)) continue;
    const bias = node.input[isPacked ? 5 : 2] ?? "";
    const isInside = bias !== "" && isRow(model, bias, blocks.n);
    const made = bias && !isInside ? model.fresh(`${y}_product`) : y;
    edits.replace(node, [
      { ...product(model, edits, blocks, x, isInside ? bias : "", made), name: node.name },
      ...(made === y ? [] : [makeNode("Add", [made, bias], [y])]),
    ]);
  }
  return edits.apply();
}

function product(model: Model, edits: Edits, { w, scale, zeros, ...sizes }: Blocks, x: string, bias: string, y: string): Node {
  const attributes = sizes satisfies Record<string, Attribute>;
  if (!zeros) return makeNode("BlockMatMul", [x, w, bias, scale], [y], attributes, "edgeslim");
  const name = model.fresh(`${w}_zeros`);
  model.define(name, { dtype: "float32", shape: [zeros.length], data: zeros }, edits);
  return makeNode("BlockMatMul", [x, w, bias, scale, name], [y], attributes, "edgeslim");
}

/** https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits */
async function packed(model: Model, node: Node): Promise<Blocks | undefined> {
  const [, w = "", scale = "", zero = "", order = ""] = node.input;
  const [n, k, block, bits] = [int(node, "N", 0), int(node, "K", 0), int(node, "block_size", 0), int(node, "bits", 4)];
  const scales = model.constants.get(scale)?.info;
  const bytes = model.constants.get(w)?.info;
  if ((bits !== 4 && bits !== 8) || order || bytes?.dtype !== "uint8" || scales?.dtype !== "float32" || block < 8) return undefined;
  const blocks = Math.ceil(k / block);
  if (elements(bytes.shape) !== (n * blocks * block * bits) / 8 || elements(scales.shape) !== n * blocks) return undefined;
  const tensor = zero ? await constant(model, zero) : undefined;
  const zeros = tensor?.dtype === "uint8" ? n * Math.ceil((blocks * bits) / 8) : n * blocks;
  if (zero && (!/^(uint8|float32)$/.test(tensor?.dtype ?? "") || tensor?.data.length !== zeros)) return undefined;
  const layout = { n_stride: blocks * block, k_stride: 1, w_signed: 0, scale_n: blocks, scale_b: 1 };
  return { w, bits, n, k, block, ...layout, scale, zeros: tensor && zeroPoints(tensor, bits, n, blocks), all_zero: 1 << (bits - 1) };
}

/** Zero points of [n, blocks]: numbers, or codes whose rows are filled up to whole bytes. */
function zeroPoints({ dtype, data }: Tensor, bits: 4 | 8, n: number, blocks: number): Float32Array {
  if (dtype !== "uint8") return Float32Array.from(data as Float32Array);
  const row = Math.ceil((blocks * bits) / 8);
  const bytes = data as Uint8Array;
  return Float32Array.from({ length: n * blocks }, (_, i) => {
    const [column, at] = [Math.floor(i / blocks), (i % blocks) * bits];
    return ((bytes[column * row + (at >> 3)] as number) >> (at & 7)) & ((1 << bits) - 1);
  });
}

const TYPES: Readonly<Record<string, [bits: 4 | 8, w_signed: number]>> = { int8: [8, 1], uint8: [8, 0], int4: [4, 1], uint4: [4, 0] };

/** MatMul or Gemm with a matrix that is dequantized: by one scale, one a column, or one for each block of a column. */
async function linear(model: Model, node: Node): Promise<Blocks | undefined> {
  if (node.domain !== "" || (node.op_type !== "MatMul" && node.op_type !== "Gemm")) return undefined;
  const { alpha = 1, beta = 1, transA = 0 } = node.attributes;
  const found = alpha === 1 && beta === 1 && transA === 0 ? linearOf(model, node.input[1] as string) : undefined;
  const info = found && model.constants.get(found.q)?.info;
  const type = info && TYPES[info.dtype];
  const scales = found && model.constants.get(found.scale)?.info;
  if (!found || !type || scales?.dtype !== "float32" || info.shape.length !== 2) return undefined;
  const isTurned = node.op_type === "Gemm" && int(node, "transB", 0) !== 0;
  const [n, k] = (isTurned ? info.shape : info.shape.toReversed()) as [number, number];
  const axis = axisOf(found.axis, 2);
  const along = isTurned ? 1 : 0; // the axis of k
  const spread = spreadOf(scales.shape, n, k, found.block, along, axis);
  if (!spread) return undefined;
  const tensor = found.zero ? await constant(model, found.zero) : undefined;
  const numbers = tensor && anyNumbers(tensor);
  if (found.zero && numbers?.length !== elements(scales.shape)) return undefined;
  const zeros = numbers?.some((zero) => zero !== 0) ? Float32Array.from(numbers) : undefined;
  const layout = isTurned ? { n_stride: k, k_stride: 1 } : { n_stride: 1, k_stride: n };
  return { w: found.q, bits: type[0], n, k, ...spread, ...layout, w_signed: type[1], scale: found.scale, zeros, all_zero: 0 };
}

/** Where the scale of a column's block stands. */
function spreadOf(
  shape: readonly number[],
  n: number,
  k: number,
  block: number,
  along: number,
  axis: number | undefined,
): { block: number; scale_n: number; scale_b: number } | undefined {
  if (block === 0) {
    const count = elements(shape);
    if (count === 1) return { block: k, scale_n: 0, scale_b: 0 };
    return count === n && axis === 1 - along ? { block: k, scale_n: 1, scale_b: 0 } : undefined;
  }
  if (axis !== along) return undefined;
  const blocks = Math.ceil(k / block);
  if (shape.join() !== (along === 1 ? [n, blocks] : [blocks, n]).join()) return undefined;
  return along === 1 ? { block, scale_n: blocks, scale_b: 1 } : { block, scale_n: 1, scale_b: n };
}

/** A product whose weights are made floats when the model is loaded. */
function asFloats(model: Model, node: Node): Node[] {
  const [x = "", codes = "", absmax = ""] = node.input;
  const name = model.fresh(`${codes}_floats`);
  return [
    { ...node, op_type: "Bnb4Weight", domain: "edgeslim", input: [codes, absmax], output: [name] },
    { ...makeNode("MatMul", [x, name], [...node.output], { transB: 1 }, "edgeslim"), name: node.name },
  ];
}
