import { makeNode, type Node } from "../../graph/graph.ts";
import { axisOf, int } from "../../ops/op.ts";
import { floatsOf } from "../../ops/value.ts";
import { Edits, type Model } from "../../optimize/model.ts";

/** Queries, keys or values: heads are axis 1, or 2 where a Transpose would have put them before the steps. */
interface Heads {
  name: string;
  heads: 1 | 2;
}

/** What a value is but for scalars that it is multiplied by. */
interface Scaled {
  name: string;
  scale: number;
}

const SWAPPED = "0,2,1,3";

/** Makes one operator of softmax(q kᵀ · scale + mask) v over [batch, heads, steps, size], with the Transposes around it. */
export function attention(model: Model): boolean {
  const edits = new Edits(model);
  for (const node of model.main.nodes) {
    const found = find(model, node);
    if (!found) continue;
    const { q, k, v, mask, scale, inner } = found;
    const [y = ""] = node.output;
    const [use] = model.isPrivate(y) ? model.uses(y) : [];
    const isTurned = use?.node.op_type === "Transpose" && String(use.node.attributes.perm) === SWAPPED;
    const last = isTurned ? (use.node as Node) : node;
    const attributes = { scale, q_heads: q.heads, k_heads: k.heads, v_heads: v.heads, y_heads: isTurned ? 2 : 1 };
    const inputs = [q.name, k.name, v.name, ...(mask ? [mask] : [])];
    for (const each of [...inner, node]) edits.replace(each, []);
    edits.replace(last, [makeNode("Attention", inputs, [last.output[0] as string], attributes, "edgeslim")]);
  }
  return edits.apply();
}

interface Found {
  q: Heads;
  k: Heads;
  v: Heads;
  mask: string | undefined;
  scale: number;
  /** Nodes that only this reads. */
  inner: Node[];
}

function find(model: Model, node: Node): Found | undefined {
  const [weights = "", values = ""] = node.input;
  if (!isOf(node, "MatMul") || !is4(model, node.output[0])) return undefined;
  const softmax = privately(model, weights, "Softmax");
  const axis = softmax && axisOf(int(softmax, "axis", model.opset < 13 ? 1 : -1), 4);
  if (!softmax || axis !== 3) return undefined;
  const [scores = ""] = softmax.input;
  const sum = privately(model, scores, "Add");
  for (const [i, name] of (sum ? sum.input : [scores]).entries()) {
    const inner = [softmax, ...(sum ? [sum] : [])];
    const scaled = unscaled(model, name, inner);
    const product = privately(model, scaled.name, "MatMul");
    if (!product) continue;
    const [queries, keys] = product.input.map((each) => unscaled(model, each)) as [Scaled, Scaled];
    const [q, k, v] = [headed(model, queries.name), turned(model, keys.name), headed(model, values)] as const;
    const mask = sum?.input[1 - i];
    if (!k || !isFit(model, [queries.name, keys.name, values], mask)) return undefined;
    const scale = scaled.scale * queries.scale * keys.scale;
    return { q, k, v, mask, scale, inner: [...inner, product] };
  }
  return undefined;
}

const isOf = (node: Node | undefined, op_type: string): boolean => node?.op_type === op_type && node.domain === "";
const is4 = (model: Model, name = ""): boolean => model.inferred.get(name)?.shape?.length === 4;

function privately(model: Model, name: string, op_type: string): Node | undefined {
  const node = model.producer(name);
  return isOf(node, op_type) && model.isPrivate(name) ? node : undefined;
}

/** A value before scalars were multiplied into it; `passed` takes the nodes that do, which nobody else reads. */
function unscaled(model: Model, name: string, passed: Node[] = []): Scaled {
  const node = privately(model, name, "Mul") ?? privately(model, name, "Div");
  if (!node) return { name, scale: 1 };
  const side = node.input.findIndex((each) => floatsOf(model.inferred.get(each))?.length === 1);
  const [factor = 0] = floatsOf(model.inferred.get(node.input[side] as string)) ?? [];
  const [x = ""] = [node.input[1 - side]];
  const isDivided = node.op_type === "Div";
  if (side < (isDivided ? 1 : 0) || factor === 0 || !is4(model, x)) return { name, scale: 1 };
  passed.push(node);
  const before = unscaled(model, x, passed);
  return { name: before.name, scale: isDivided ? before.scale / factor : before.scale * factor };
}

function headed(model: Model, name: string): Heads {
  const node = model.producer(name);
  return node && isOf(node, "Transpose") && String(node.attributes.perm) === SWAPPED
    ? { name: node.input[0] as string, heads: 2 }
    : { name, heads: 1 };
}

/** Keys, of which the product takes the transposes. */
function turned(model: Model, name: string): Heads | undefined {
  const node = model.producer(name);
  const heads =
    node && isOf(node, "Transpose") ? { "0,1,3,2": 1 as const, "0,2,3,1": 2 as const }[String(node.attributes.perm)] : undefined;
  return heads && { name: node?.input[0] as string, heads };
}

/** Whether nothing is repeated along batches, heads and steps but the mask; one whose sizes have names of their own may be. */
function isFit(model: Model, names: readonly string[], mask: string | undefined): boolean {
  const values = names.map((name) => model.inferred.get(name));
  const [q, k, v] = values.map((value) => value?.shape ?? []) as [readonly unknown[], readonly unknown[], readonly unknown[]];
  if (values.some((value) => value?.dtype !== "float32" || value.shape?.length !== 4)) return false;
  if (q[0] !== k[0] || q[1] !== k[1] || k[0] !== v[0] || k[1] !== v[1] || k[3] !== v[2]) return false;
  if (mask === undefined) return true;
  const { dtype, shape } = model.inferred.get(mask) ?? {};
  if (dtype !== "float32" || !shape || shape.length > 4 || shape.length < 1) return false;
  const full = [...new Array<number>(4 - shape.length).fill(1), ...shape];
  return [q[0], q[1], q[2], k[3]].every((d, i) => full[i] === d || full[i] === 1 || typeof full[i] === "string" || typeof d === "string");
}
