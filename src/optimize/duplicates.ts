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
  const candidates = [...model.constants.values()].filter(
    ({ info, payload, scaling }) => payload && !scaling && BITS[info.dtype] > 0 && payload.length >= least && model.isMovable(info.name),
  );
  for (const alike of groups(
    candidates,
    candidates.map(({ info: { dtype, shape } }) => `${dtype} ${shape}`),
  )) {
    for (const constant of alike) constant.sample ??= await sample(constant.payload as Payload);
    for (const group of groups(
      alike,
      alike.map((constant) => constant.sample as string),
    )) {
      const firsts = new Map<string, string>();
      for (const constant of group) await takeOrDrop(constant, firsts, model, edits);
    }
  }
  return edits.apply();
}

/** The constants that share a key with another, together. */
function groups(constants: readonly Constant[], keys: readonly string[]): Constant[][] {
  const byKey = new Map<string, Constant[]>();
  constants.forEach((constant, i) => {
    const group = byKey.get(keys[i] as string);
    if (group) group.push(constant);
    else byKey.set(keys[i] as string, [constant]);
  });
  return [...byKey.values()].filter(({ length }) => length > 1);
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
  const { range, length } = payload;
  if (range) return String.fromCharCode(...(await range.source.read(range.offset, Math.min(SAMPLE, length))));
  for await (const chunk of payload.chunks()) return String.fromCharCode(...chunk.subarray(0, SAMPLE));
  return "";
}

/** Comparing each with each would take too long where a model has thousands that are nearly the same. */
async function digest(payload: Payload): Promise<string> {
  const hash = new Sha256();
  for await (const chunk of payload.chunks()) hash.update(chunk);
  return hash.hex() as string;
}
