import type { Role } from "../encoding.ts";
import type { TensorInfo } from "../tensor.ts";
import { dynamicRole } from "./dynamic.ts";
import type { Graph, Node, Use, Values } from "./graph.ts";
import { isSingle, isSingleInput } from "./single.ts";

/** How a node that ends a weight's path uses it. Axes are those of the value as the node sees it. */
interface Consumption {
  /** Output channels. */
  channel?: number;
  /** K, where a block-wise product can take the node's place. */
  k?: number;
  keep?: string;
}

type Consumer = (node: Node, index: number, rank: number) => Consumption;

/** TensorProto.DataType: the types that block-wise products compute in. */
const FLOAT = 1;
const FLOAT16 = 10;

const BIAS = { keep: "a bias" };
const NORMALIZATION = { keep: "a normalization parameter" };
const attribute = (node: Node, name: string, otherwise: number): number => {
  const value = node.attributes[name];
  return typeof value === "number" ? value : otherwise;
};

const matmul: Consumer = (_node, index, rank) => {
  if (rank < 2) return {};
  if (index !== 1) return { channel: rank - 2 };
  return { channel: rank - 1, ...(rank === 2 ? { k: 0 } : {}) };
};

const gemm: Consumer = (node, index) => {
  if (index === 2) return BIAS;
  if (index === 0) return { channel: attribute(node, "transA", 0) ? 1 : 0 };
  const channel = attribute(node, "transB", 0) ? 0 : 1;
  const plain =
    attribute(node, "transA", 0) === 0 && attribute(node, "alpha", 1) === 1 && (attribute(node, "beta", 1) === 1 || !node.input[2]);
  return { channel, ...(plain ? { k: 1 - channel } : {}) };
};

const weighted =
  (channel: number, weights: readonly number[], bias: number): Consumer =>
  (_node, index) =>
    weights.includes(index) ? { channel } : index === bias ? BIAS : {};

const normalization: Consumer = (_node, index) => (index > 0 ? NORMALIZATION : {});

/** Operators that give a weight channels, or that ask for it in float. https://onnx.ai/onnx/operators/ */
const CONSUMERS: ReadonlyMap<string, Consumer> = new Map(
  Object.entries<Consumer>({
    MatMul: matmul,
    Gemm: gemm,
    Conv: weighted(0, [1], 2),
    DeformConv: weighted(0, [1], 3),
    ConvTranspose: weighted(1, [1], 2),
    Gather: (node, index, rank) => (index === 0 ? { channel: (attribute(node, "axis", 0) + rank) % rank } : {}),
    LSTM: weighted(1, [1, 2], 3),
    GRU: weighted(1, [1, 2], 3),
    RNN: weighted(1, [1, 2], 3),
    BatchNormalization: normalization,
    InstanceNormalization: normalization,
    LayerNormalization: normalization,
    GroupNormalization: normalization,
    "com.microsoft.FusedConv": weighted(0, [1], 2),
    "com.microsoft.FusedMatMul": (node, index, rank) =>
      index === 1 && rank >= 2 ? { channel: attribute(node, "transB", 0) ? rank - 2 : rank - 1 } : {},
    "com.microsoft.FusedGemm": (node, index) => (index === 2 ? BIAS : { channel: gemm(node, index, 2).channel ?? 0 }),
    "com.microsoft.Attention": weighted(1, [1], 2),
    "com.microsoft.SkipLayerNormalization": (_node, index) => (index > 1 ? NORMALIZATION : {}),
  }),
);

/** Nodes that hand a weight on with its values unchanged. */
const isPassThrough = (node: Node): boolean =>
  node.domain === "" && (node.op_type === "Cast" || node.op_type === "Identity" || node.op_type === "Transpose");

/** Nodes that move elements about: what is made of them later has the rows that the weight has. */
const MOVES = new Set(["Slice", "Concat", "Reshape", "Unsqueeze", "Squeeze", "Split", "Flatten"]);

/** Nodes from a frequency to the angle it gives, at most: exporters write five or six. */
const MAX_ANGLE_PATH = 32;

/** Whether a node's result, multiplied and moved about, is an angle: frequencies lose their meaning in float16, as angles do. */
function isAngle(values: Values, node: Node, graph: Graph): boolean {
  const seen = new Set<Node>([node]);
  for (const { op_type, domain, output } of seen) {
    if (seen.size > MAX_ANGLE_PATH) return false;
    if (domain !== "") continue;
    if (op_type === "Sin" || op_type === "Cos") return true;
    const isOnTheWay = /^(Cast|Identity|Transpose|Mul|Div|MatMul|Expand)$/.test(op_type) || MOVES.has(op_type);
    if (isOnTheWay) for (const use of values.uses(output[0] ?? "", graph).slice(0, MAX_ANGLE_PATH)) seen.add(use.node);
  }
  return false;
}

/** Where a weight's path ends. */
export interface Path {
  use: Use;
  /** The axis of the weight that each axis of the used value is. */
  axes: readonly number[];
  /** The ONNX data type (TensorProto.DataType) that the last Cast gives; undefined where the weight is used in its own. */
  cast: number | undefined;
}

/** Follows a weight through Cast, Identity and Transpose to the nodes that work with it. */
export function paths(
  values: Values,
  name: string,
  home: Graph,
  rank: number,
): { paths: Path[]; through: ReadonlySet<Node>; leaves: boolean } {
  const found: Path[] = [];
  let leaves = values.isOutput(name, home);
  const through = new Set<Node>(); // a cycle ends here
  const open: (Omit<Path, "use"> & { value: string; scope: Graph })[] = [
    { value: name, scope: home, axes: Array.from({ length: rank }, (_, i) => i), cast: undefined },
  ];
  for (let at = open.pop(); at; at = open.pop()) {
    for (const use of values.uses(at.value, at.scope)) {
      const { node, graph } = use;
      if (!isPassThrough(node) || use.index !== 0) {
        found.push({ use, axes: at.axes, cast: at.cast });
      } else if (!through.has(node)) {
        through.add(node);
        const [out = ""] = node.output;
        if (values.isOutput(out, graph)) leaves = true;
        const axes = node.op_type === "Transpose" ? transposed(at.axes, node) : at.axes;
        const cast = node.op_type === "Cast" ? attribute(node, "to", 0) : at.cast;
        open.push({ value: out, scope: graph, axes, cast });
      }
    }
  }
  return { paths: found, through, leaves };
}

/** Paths that are a MatMul's right side, without a detour. */
export const isRightSide =
  (values: Values, name: string, home: Graph) =>
  ({ use: { node, index, graph } }: Path): boolean =>
    node.domain === "" && node.op_type === "MatMul" && index === 1 && node.input[1] === name && values.home(name, graph) === home;

function transposed(axes: readonly number[], node: Node): readonly number[] {
  const perm = node.attributes.perm;
  if (!Array.isArray(perm)) return [...axes].reverse();
  return (perm as readonly number[]).map((p) => axes[p] ?? 0);
}

/** What the graph makes of a weight with the given shape. */
export function roleOf(values: Values, { name, dtype, shape }: TensorInfo, home: Graph): Role {
  const { paths: found, leaves } = paths(values, name, home, shape.length);
  const ends = found.map(({ use, axes, cast }) => {
    const { node, index } = use;
    const key = node.domain === "" || node.domain === "ai.onnx" ? node.op_type : `${node.domain}.${node.op_type}`;
    const consumption = CONSUMERS.get(key)?.(node, index, axes.length) ?? {};
    const source = (axis: number | undefined) => (axis === undefined ? undefined : axes[axis]);
    const multiplies = cast === undefined ? dtype === "float32" || dtype === "float16" : cast === FLOAT || cast === FLOAT16;
    return {
      op: node.op_type,
      keep: consumption.keep,
      channel: source(consumption.channel),
      k: multiplies ? source(consumption.k) : undefined,
    };
  });
  // A recurrent layer's weights, say, which exporters cut up and join in another order.
  const rows = shape.findIndex((d) => d > 1);
  for (const end of ends) if (end.channel === undefined && MOVES.has(end.op) && rows >= 0) end.channel = rows;
  const chief = ends.find((end) => end.channel !== undefined) ?? ends[0];
  if (!chief) return { op: leaves ? "the graph's output" : "no node" };
  const kept = ends.find((end) => end.keep !== undefined);
  const [k] = ends.map((end) => end.k);
  const product = !leaves && shape.length === 2 && (k === 0 || k === 1) && ends.every((end) => end.k === k);
  const dynamic = dynamicRole(values, name, home, shape.length);
  const multiplied = shape.length > 1 && (dtype === "float32" || dtype === "float16") ? found.filter(isRightSide(values, name, home)) : [];
  const inSingle = found.find(
    ({ use: { node, index, graph } }) => graph !== home || isSingle(node) || isSingleInput(node, index) || isAngle(values, node, home),
  );
  const single = home.parent ? "in a subgraph, which computes in float32" : inSingle?.use.node.op_type;
  return {
    op: chief.op,
    ...(multiplied.length > 0 ? { matmul: { besides: leaves || multiplied.length < found.length } } : {}),
    ...(dynamic ? { dynamic } : {}),
    ...(single === undefined ? {} : { single: home.parent ? single : `used by ${single}, which computes in float32` }),
    ...(chief.channel === undefined ? {} : { channel_axis: chief.channel }),
    ...(product ? { k_axis: k } : {}),
    ...(kept?.keep && chief.channel === undefined ? { keep: kept.keep } : {}),
  };
}
