import { edited, type Node } from "../../graph/graph.ts";
import { Edits, type Model } from "../../optimize/model.ts";
import { isRow } from "./products.ts";

/** Operators whose kernels end with a bias, a sum and an activation. Inputs are x, weight, bias and, of floats, what is added. */
const ENDED: ReadonlySet<string> = new Set(["Conv", "ConvTranspose", "MatMul", "BlockMatMul", "QMatMul", "QConv"]);
const SUMMED: ReadonlySet<string> = new Set(["Conv", "MatMul"]);

const isEnded = (node: Node | undefined): node is Node =>
  node?.domain === "edgeslim" && ENDED.has(node.op_type) && (node.attributes.out ?? "float") === "float";

/** Takes what follows a product into it: a bias, a tensor of the same shape that is added, an activation. */
export function ends(model: Model): boolean {
  let changed = false;
  for (let more = true; more; changed ||= more) more = step(model);
  return changed;
}

function step(model: Model): boolean {
  const edits = new Edits(model);
  for (const node of model.main.nodes) {
    if (edits.isTouched(node)) continue;
    const isActivation = node.domain === "edgeslim" && node.op_type === "Activate";
    const isSum = node.domain === "" && node.op_type === "Add";
    if (!isActivation && !isSum) continue;
    for (const [i, name] of node.input.entries()) {
      const before = model.producer(name);
      if (!isEnded(before) || !model.isPrivate(name) || edits.isTouched(before)) continue;
      const ended = isActivation ? activated(before, node) : added(model, before, name, node.input[1 - i] as string);
      if (!ended) continue;
      // It stands where the last of its inputs is there.
      edits.replace(before, []);
      edits.replace(node, [edited(before, { ...ended, output: node.output })]);
      break;
    }
  }
  return edits.apply();
}

type End = Pick<Node, "input" | "attributes">;

function activated(before: Node, { attributes: { kind, alpha, beta } }: Node): End | undefined {
  if (before.attributes.kind !== undefined || before.attributes.z_first === 0) return undefined;
  return { input: before.input, attributes: { ...before.attributes, kind, alpha, beta } as Node["attributes"] };
}

function added(model: Model, before: Node, name: string, other: string): End | undefined {
  const [x = "", w = "", bias = "", ...rest] = before.input;
  const isSummed = SUMMED.has(before.op_type);
  const z = isSummed ? rest[0] : "";
  const [shape, shapeOther] = [model.inferred.get(name)?.shape, model.inferred.get(other)?.shape];
  const isBare = before.attributes.kind === undefined && !z;
  const n = shape?.at(-1);
  if (isBare && !bias && typeof n === "number" && before.op_type !== "Conv" && before.op_type !== "ConvTranspose" && isRow(model, other, n))
    return { input: [x, w, other, ...rest], attributes: before.attributes };
  if (z || !isSummed || model.constants.has(other)) return undefined;
  if (!shape || shape.length !== shapeOther?.length || !shape.every((d, i) => d === shapeOther[i])) return undefined;
  if (model.inferred.get(other)?.dtype !== "float32") return undefined;
  return { input: [x, w, bias, other], attributes: { ...before.attributes, z_first: before.attributes.kind === undefined ? 1 : 0 } };
}
