/** Whether a recipe finds anything to do in a model: the rules of the schemes over an independent decoder's reading. */
import { DataType } from "../kit/onnx.ts";
import type { DecodedGraph, DecodedModel, DecodedNode, DecodedTensor } from "../kit/readonnx.ts";

interface Use {
  node: DecodedNode;
  index: number;
  /** Whether the node stands in a graph within the weight's own. */
  within: boolean;
}

interface Weight {
  tensor: DecodedTensor;
  /** Whether it stands in a subgraph. */
  inner: boolean;
  uses: Use[];
  isOutput: boolean;
}

const subgraphs = ({ attributes }: DecodedNode): DecodedGraph[] =>
  [...attributes.values()].filter((value): value is DecodedGraph => typeof value === "object" && "nodes" in value);

const defines = (graph: DecodedGraph, name: string): boolean =>
  graph.initializers.has(name) ||
  graph.inputs.some((input) => input.name === name) ||
  graph.nodes.some(({ outputs }) => outputs.includes(name));

function usesOf(graph: DecodedGraph, name: string, within = false): Use[] {
  return graph.nodes.flatMap((node) => [
    ...node.inputs.flatMap((input, index) => (input === name ? [{ node, index, within }] : [])),
    ...subgraphs(node).flatMap((inner) => (defines(inner, name) ? [] : usesOf(inner, name, true))),
  ]);
}

function weightsOf(graph: DecodedGraph, inner = false): Weight[] {
  const constants = graph.nodes.flatMap(({ op_type, outputs, attributes }) => {
    const value = op_type === "Constant" ? attributes.get("value") : undefined;
    return typeof value === "object" && "data_type" in value ? [{ ...value, name: outputs[0] ?? "" }] : [];
  });
  const own = [...graph.initializers.values(), ...constants].map((tensor) => ({
    tensor,
    inner,
    uses: usesOf(graph, tensor.name),
    isOutput: graph.outputs.some(({ name }) => name === tensor.name),
  }));
  return [...own, ...graph.nodes.flatMap(subgraphs).flatMap((each) => weightsOf(each, true))];
}

const { FLOAT, FLOAT16, BFLOAT16, DOUBLE } = DataType;
const size = ({ dims }: DecodedTensor): number => dims.reduce((a, b) => a * b, 1);
const isOf =
  (...types: number[]) =>
  ({ tensor }: Weight) =>
    types.includes(tensor.data_type);
/** More than a vector, and large enough to be worth its scales. */
const isMatrix = ({ tensor }: Weight): boolean => size(tensor) >= 1024 && tensor.dims.filter((d) => d > 1).length > 1;
/** Read by a product, a convolution, a lookup or an LSTM. */
const isDynamic = ({ uses }: Weight): boolean =>
  uses.some(
    ({ node: { op_type }, index }) =>
      (/^(MatMul|Gemm|Conv)$/.test(op_type) && index === 1) ||
      (op_type === "Gather" && index === 0) ||
      (op_type === "LSTM" && (index === 1 || index === 2)),
  );
/** One matrix, the right side of a MatMul. */
const isPacked = ({ uses, tensor: { dims } }: Weight): boolean =>
  dims.length > 1 && dims.slice(0, -2).every((d) => d === 1) && uses.some(({ node, index }) => node.op_type === "MatMul" && index === 1);
/** Not a scalar, and read where float16 is computed with. */
const isHalved = ({ inner, uses, tensor }: Weight): boolean =>
  !inner && size(tensor) >= 16 && uses.some(({ within }) => !within) && !uses.every(({ node }) => node.op_type === "BatchNormalization");

const RULES: Record<string, (weight: Weight) => boolean> = {
  fp16: (weight) => isOf(FLOAT, DOUBLE)(weight) && isMatrix(weight),
  bf16: (weight) => isOf(FLOAT, DOUBLE)(weight) && isMatrix(weight),
  w8: (weight) => isOf(FLOAT, DOUBLE, FLOAT16, BFLOAT16)(weight) && isMatrix(weight),
  w4: (weight) => isOf(FLOAT, DOUBLE, FLOAT16, BFLOAT16)(weight) && isMatrix(weight),
  q8: (weight) => isOf(FLOAT)(weight) && isDynamic(weight),
  int8: (weight) => isOf(FLOAT)(weight) && isDynamic(weight),
  uint8: (weight) => isOf(FLOAT)(weight) && isDynamic(weight),
  q4: (weight) => isOf(FLOAT, FLOAT16)(weight) && isPacked(weight),
  bnb4: (weight) => isOf(FLOAT, FLOAT16)(weight) && isPacked(weight),
  q4f16: (weight) => RULES.q4?.(weight) || (isOf(FLOAT)(weight) && isHalved(weight)) || false,
};

/** Nodes that are there to be simplified, a weight that nobody reads, or one that only changes its type. */
function isSimple(model: DecodedModel): boolean {
  const weights = weightsOf(model);
  const isCast = ({ uses }: Weight): boolean => uses.length > 0 && uses.every(({ node }) => node.op_type === "Cast");
  return (
    !model.nodes.some(({ op_type }) => /^(Constant|Identity|Dropout|BatchNormalization)$/.test(op_type)) &&
    !weights.some((weight) => !weight.inner && ((weight.uses.length === 0 && !weight.isOutput) || isCast(weight)))
  );
}

/** Whether a scheme, or optimizing where asked for, has something to change. */
export function findsWork(model: DecodedModel, scheme: string | undefined, optimize: boolean): boolean {
  if (optimize && !isSimple(model)) return true;
  const rule = optimize && scheme === "fp16" ? (weight: Weight) => isOf(FLOAT)(weight) && isHalved(weight) : scheme && RULES[scheme];
  return rule ? weightsOf(model).some(rule) : false;
}
