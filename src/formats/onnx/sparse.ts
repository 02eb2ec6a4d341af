/**
 * A tensor of which many elements are zero, as those that are not, with a bit for each element: runtimes fold what makes it of them when they load a
 * model. `sparse_initializer` would take eight bytes an element.
 */

import type { Graph } from "../../graph/graph.ts";
import { makeNode, type Node } from "../../graph/graph.ts";
import type { Patch } from "../../graph/patch.ts";
import type { Payload } from "../../payload.ts";
import { BITS, byteLength, elements, int64Tensor, type TensorBytes, type TensorInfo } from "../../tensor.ts";
import { dataType } from "./proto.ts";

/** What the operators need: ScatterND. */
export const SPARSE_OPSET = 11;

/** Bits of a byte, from the least. */
const POWERS = Int32Array.of(1, 2, 4, 8, 16, 32, 64, 128);

/** Constants that all sparse tensors of a graph share. */
export interface Shared {
  powers: string;
  two: string;
  flat: string;
}

export function shareConstants(main: Graph, patch: Patch, fresh: (name: string) => string): Shared {
  const shared = { powers: fresh("sparse/powers"), two: fresh("sparse/two"), flat: fresh("sparse/flat") };
  const int32 = (name: string, values: Int32Array): TensorBytes => ({
    name,
    dtype: "int32",
    shape: [values.length],
    bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  });
  patch.addTensor(main, int32(shared.powers, POWERS));
  patch.addTensor(main, int32(shared.two, Int32Array.of(2)));
  patch.addTensor(main, int64Tensor(shared.flat, [1], [-1]));
  return shared;
}

/** The nodes that make a tensor of its values and the bits of its mask, uint8[bytes, 1]. */
export function unpackingNodes(
  target: TensorInfo,
  { values, mask }: { values: string; mask: string },
  { powers, two, flat }: Shared,
  main: Graph,
  patch: Patch,
  fresh: (name: string) => string,
): Node[] {
  const { name, dtype, shape } = target;
  const own = (what: string): string => fresh(`${name}/sparse/${what}`);
  const [count, dims] = [own("count"), own("shape")];
  patch.addTensor(main, int64Tensor(count, [1], [elements(shape)]));
  patch.addTensor(main, int64Tensor(dims, [shape.length], shape));
  const zeros = makeNode("ConstantOfShape", [count], [own("zeros")]);
  const value = { name: "", dtype, shape: [1], bytes: new Uint8Array(byteLength(dtype, [1])) };
  const step = (op: string, input: string[], what: string, attributes: Record<string, number | number[]> = {}): Node =>
    makeNode(op, input, [own(what)], attributes);
  const nodes: Node[] = [];
  const add = (node: Node): string => {
    nodes.push(node);
    return node.output[0] as string;
  };
  const bytes = add(step("Cast", [mask], "bytes", { to: dataType("int32") }));
  const shifted = add(step("Div", [bytes, powers], "shifted"));
  const bit = add(step("Mod", [shifted, two], "bit"));
  const isSet = add(step("Cast", [bit], "set", { to: dataType("bool") }));
  const line = add(step("Reshape", [isSet, flat], "line"));
  const found = add(step("NonZero", [line], "found"));
  const places = add(step("Transpose", [found], "places", { perm: [1, 0] }));
  const empty = add({ ...zeros, tensors: { value } });
  const scattered = add(step("ScatterND", [empty, places, values], "scattered"));
  nodes.push(makeNode("Reshape", [scattered, dims], [name]));
  return nodes;
}

/** Which elements are not zero, a bit each from the least of the first byte on, and how many there are. Of floats −0 is zero too. */
export class NonZero {
  readonly bits: Uint8Array<ArrayBuffer>;
  readonly #size: number;
  count = 0;
  #at = 0;

  constructor({ dtype, shape }: TensorInfo) {
    this.bits = new Uint8Array(Math.ceil(elements(shape) / 8));
    this.#size = BITS[dtype] / 8;
  }

  /** Takes whole elements. */
  add(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.byteLength; i += this.#size, this.#at++) {
      if (!isNonZero(bytes, i, this.#size)) continue;
      this.bits[this.#at >> 3] = (this.bits[this.#at >> 3] as number) | (1 << (this.#at & 7));
      this.count++;
    }
  }
}

const isNonZero = (bytes: Uint8Array, at: number, size: number): boolean => {
  if (size === 1) return bytes[at] !== 0;
  for (let i = 0; i < size - 1; i++) if (bytes[at + i] !== 0) return true;
  return ((bytes[at + size - 1] as number) & 0x7f) !== 0; // the sign does not count
};

/** Leaves the elements of a tensor of which the bit is set, chunk after chunk of whole elements. */
export function packing(bits: Uint8Array, size: number): (bytes: Uint8Array) => Uint8Array {
  let at = 0;
  let room = new Uint8Array(0);
  return (bytes) => {
    if (room.byteLength < bytes.byteLength) room = new Uint8Array(bytes.byteLength);
    let fill = 0;
    for (let i = 0; i < bytes.byteLength; i += size, at++) {
      if (((bits[at >> 3] as number) & (1 << (at & 7))) === 0) continue;
      for (let b = 0; b < size; b++) room[fill++] = bytes[i + b] as number;
    }
    return room.subarray(0, fill);
  };
}

/** Chunks of whole elements. */
export async function* wholeElements(payload: Payload, size: number): AsyncGenerator<Uint8Array> {
  let rest = new Uint8Array(0);
  for await (const chunk of payload.chunks()) {
    const all = rest.byteLength === 0 ? chunk : joined(rest, chunk);
    const whole = all.byteLength - (all.byteLength % size);
    if (whole > 0) yield all.subarray(0, whole);
    rest = all.slice(whole);
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.byteLength + b.byteLength);
  both.set(a);
  both.set(b, a.byteLength);
  return both;
}
