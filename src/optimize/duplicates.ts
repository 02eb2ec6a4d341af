import type { Node } from "../graph/graph.ts";
import type { Payload } from "../payload.ts";
import { BITS } from "../tensor.ts";
import { type Constant, Edits, type Model } from "./model.ts";

/** Bytes that are compared before all are: weights that differ do so at once. */
const SAMPLE = 256;

/** Lets readers of equal constants read one of them. Tensors below `least` bytes are not worth a look. */
export async function duplicateConstants(model: Model, least = 16): Promise<boolean> {
  const edits = new Edits(model);
  const alike = new Map<string, Constant[]>();
  for (const constant of model.constants.values()) {
    const { info, payload, scaling } = constant;
    if (!payload || scaling || BITS[info.dtype] === 0 || payload.length < least || !model.isMovable(info.name)) continue;
    const key = `${info.dtype} ${info.shape} ${await sample(payload)}`;
    const others = alike.get(key) ?? [];
    alike.set(key, others);
    let first: Constant | undefined;
    for (const other of others) if (await equal(other.payload as Payload, payload)) first = other;
    if (!first) {
      others.push(constant);
      continue;
    }
    edits.rename(info.name, first.info.name);
    if (constant.constant) edits.replace(constant.constant, []);
    edits.undefine(info.name);
    model.drop(info.name, `the same as '${first.info.name}'`);
  }
  return edits.apply();
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

async function equal(a: Payload, b: Payload): Promise<boolean> {
  const [x, y] = [a.chunks()[Symbol.asyncIterator](), b.chunks()[Symbol.asyncIterator]()];
  let [left, right] = [new Uint8Array(0), new Uint8Array(0)];
  try {
    for (;;) {
      if (left.byteLength === 0) left = ((await x.next()).value as Uint8Array<ArrayBuffer> | undefined) ?? left;
      if (right.byteLength === 0) right = ((await y.next()).value as Uint8Array<ArrayBuffer> | undefined) ?? right;
      const n = Math.min(left.byteLength, right.byteLength);
      if (n === 0) return left.byteLength === right.byteLength;
      for (let i = 0; i < n; i++) if (left[i] !== right[i]) return false;
      [left, right] = [left.subarray(n), right.subarray(n)];
    }
  } finally {
    await Promise.all([x.return?.(), y.return?.()]);
  }
}
