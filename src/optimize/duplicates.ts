import type { Node } from "../graph/graph.ts";
import { Sha256 } from "../io/sha256.ts";
import type { Payload } from "../payload.ts";
import { BITS } from "../tensor.ts";
import { type Constant, Edits, type Model } from "./model.ts";

/** Bytes that are looked at before all are: weights that differ do so at once. */
const SAMPLE = 256;

/** Lets readers of equal constants read one of them. Tensors below `least` bytes are not worth a look. */
export async function duplicateConstants(model: Model, least = 16): Promise<boolean> {
  const edits = new Edits(model);
  const alike = new Map<string, Constant[]>();
  for (const constant of model.constants.values()) {
    const { info, payload, scaling } = constant;
    if (!payload || scaling || BITS[info.dtype] === 0 || payload.length < least || !model.isMovable(info.name)) continue;
    const key = `${info.dtype} ${info.shape} ${await sample(payload)}`;
    const group = alike.get(key);
    if (group) group.push(constant);
    else alike.set(key, [constant]);
  }
  for (const group of alike.values()) {
    const firsts = new Map<string, string>();
    if (group.length > 1) for (const constant of group) await takeOrDrop(constant, firsts, model, edits);
  }
  return edits.apply();
}

/** Drops a constant that is the same as one of `firsts`, names by digest, or makes it one of them. */
async function takeOrDrop(constant: Constant, firsts: Map<string, string>, model: Model, edits: Edits): Promise<void> {
  const { name } = constant.info;
  constant.digest ??= await digest(constant.payload as Payload);
  const first = firsts.get(constant.digest);
  if (first === undefined) {
    firsts.set(constant.digest, name);
    return;
  }
  edits.rename(name, first);
  if (constant.constant) edits.replace(constant.constant, []);
  edits.undefine(name);
  model.drop(name, `the same as '${first}'`);
}

/** Operators that give something else each time. */
const RANDOM = /^(Random.*|Multinomial|Bernoulli|Dropout)$/;

/** Whether all that a node says is at hand; what is not may differ. */
const isRead = ({ unread = [], tensors, graphs }: Node): boolean => unread.length === 0 && !tensors && graphs.length === 0;

/** JSON, which has no NaN, no infinity and no negative zero. */
const exactly = (_key: string, value: unknown): unknown => (typeof value === "number" ? [Object.is(value, -0) ? "-0" : `${value}`] : value);

/** Lets readers of nodes that compute the same read one of them. */
export function duplicateNodes(model: Model): boolean {
  const edits = new Edits(model);
  const seen = new Map<string, Node>();
  for (const node of model.main.nodes) {
    if (node.domain !== "" || RANDOM.test(node.op_type) || !isRead(node)) continue;
    const attributes = Object.entries(node.attributes).sort(([a], [b]) => (a < b ? -1 : 1));
    const key = JSON.stringify([node.op_type, node.input, attributes, node.output.map(Boolean)], exactly);
    const first = seen.get(key);
    if (!first) seen.set(key, node);
    else if (node.output.every((name) => !name || model.isMovable(name))) {
      edits.replace(node, []);
      for (const [i, name] of node.output.entries()) if (name) edits.rename(name, first.output[i] as string);
    }
  }
  return edits.apply();
}

/** The first bytes, as text. */
async function sample(payload: Payload): Promise<string> {
  for await (const chunk of payload.chunks()) return String.fromCharCode(...chunk.subarray(0, SAMPLE));
  return "";
}

/** Comparing each with each would take too long where a model has thousands that are nearly the same. */
async function digest(payload: Payload): Promise<string> {
  const hash = new Sha256();
  for await (const chunk of payload.chunks()) hash.update(chunk);
  return hash.hex() as string;
}
