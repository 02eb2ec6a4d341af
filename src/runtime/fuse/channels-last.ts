import { edited, makeNode, type Node } from "../../graph/graph.ts";
import { Edits, type Model } from "../../optimize/model.ts";

/** Operators on images that kernels run channels last. */
const IMAGES: ReadonlySet<string> = new Set([
  "Conv",
  "ConvTranspose",
  "MaxPool",
  "AveragePool",
  "GlobalAveragePool",
  "GlobalMaxPool",
  "Resize",
  "Upsample",
  "InstanceNormalization",
  "GroupNormalization",
]);

/** From channels first to channels last, and back. */
export const toLast = (rank: number): number[] => [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1];
export const toFirst = (rank: number): number[] => [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, i) => i + 1)];

/** Whether a convolution obeys its rules, as far as they can be told: what does not is left to the operator, which says so. */
export const isWell = (model: Model, { output: [y = ""] }: Node): boolean => model.inferred.get(y)?.shape !== undefined;

/** Whether kernels do what the node asks for. */
function isFit(model: Model, node: Node): boolean {
  const x = model.inferred.get(node.input[0] as string);
  const rank = x?.shape?.length;
  if (node.domain !== "" || !IMAGES.has(node.op_type) || (rank !== 3 && rank !== 4)) return false;
  const isResize = /^(Resize|Upsample)$/.test(node.op_type);
  const isMoved = isResize && (node.attributes.mode ?? "nearest") === "nearest" && /^u?int8$/.test(x?.dtype ?? "");
  if (!x || (x.dtype !== "float32" && !isMoved)) return false;
  if (node.output.slice(1).some(Boolean)) return false;
  const {
    mode,
    group,
    auto_pad,
    output_shape,
    coordinate_transformation_mode: coordinates,
    axes,
    antialias,
    keep_aspect_ratio_policy: policy,
  } = node.attributes;
  if (/^Conv/.test(node.op_type) && !(isWell(model, node) && model.constants.has(node.input[1] as string))) return false;
  if (node.op_type === "ConvTranspose") return (group ?? 1) === 1 && (auto_pad ?? "NOTSET") === "NOTSET" && !output_shape;
  if (/Normalization$/.test(node.op_type)) return model.inferred.get(node.input[1] as string)?.shape?.[0] === x.shape?.[1];
  if (!isResize) return true;
  return mode !== "cubic" && coordinates !== "tf_crop_and_resize" && !axes && !antialias && (policy ?? "stretch") === "stretch";
}

/** Puts the channels of images last, with a Transpose before and after each operator: `moveTransposes` then takes most of them away. */
export function channelsLast(model: Model): boolean {
  const edits = new Edits(model);
  const turned = new Map<string, string>();
  for (const node of model.main.nodes) {
    if (!isFit(model, node)) continue;
    const [x = "", ...rest] = node.input;
    const [y = ""] = node.output;
    const rank = model.inferred.get(x)?.shape?.length as number;
    const nodes: Node[] = [];
    let image = turned.get(x);
    if (!image) {
      image = model.fresh(`${x}_channels_last`);
      turned.set(x, image);
      nodes.push(makeNode("Transpose", [x], [image], { perm: toLast(rank) }));
    }
    const result = model.fresh(`${y}_channels_last`);
    nodes.push(edited(node, { domain: "edgeslim", input: [image, ...rest], output: [result] }));
    nodes.push(makeNode("Transpose", [result], [y], { perm: toFirst(rank) }));
    edits.replace(node, nodes);
  }
  return edits.apply();
}

/** A node of the runtime's own on an image whose channels are last, between two Transposes. */
export function channelsLastAround(model: Model, node: Node, [x = "", ...rest]: readonly string[], y: string, rank: number): Node[] {
  const [image, result] = [model.fresh(`${x}_channels_last`), model.fresh(`${y}_channels_last`)];
  const { op_type, attributes, name } = node;
  return [
    makeNode("Transpose", [x], [image], { perm: toLast(rank) }),
    { ...makeNode(op_type, [image, ...rest], [result], attributes, "edgeslim"), name },
    makeNode("Transpose", [result], [y], { perm: toFirst(rank) }),
  ];
}
