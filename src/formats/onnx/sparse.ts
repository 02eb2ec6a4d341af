/**
 * A tensor of which many elements are zero, as those that are not, with a bit for each element: runtimes fold what makes it of them when they load a
 * model. `sparse_initializer` would take eight bytes an element.
 */

import { type Graph, makeNode, type Node } from "../../graph/graph.ts";
import type { Patch } from "../../graph/patch.ts";
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

/** What a bit of a mask stands for: an element, or a block of the first two axes at one place of the others, [first, second]. */
export type Unit = readonly [first: number, second: number];

/** The unit of a single element. */
export const ELEMENT: Unit = [1, 1];

/** A tensor seen in units: how many there are along the first axis, the second and the others together. */
export interface Units {
  rows: number;
  columns: number;
  inner: number;
  /** Elements in one. */
  size: number;
  count: number;
}

/** The units of a shape; undefined where they do not divide it. */
export function unitsOf(shape: readonly number[], [first, second]: Unit): Units | undefined {
  if (first === 1 && second === 1) return { rows: 1, columns: 1, inner: elements(shape), size: 1, count: elements(shape) };
  const [rows, columns] = [(shape[0] ?? 0) / first, (shape[1] ?? 0) / second];
  if (!Number.isInteger(rows) || !Number.isInteger(columns)) return undefined;
  const inner = elements(shape.slice(2));
  return { rows, columns, inner, size: first * second, count: rows * columns * inner };
}

/** The nodes that make a tensor of its values, [units, size], and the bits of its mask, uint8[bytes, 1]. */
export function unpackingNodes(
  target: TensorInfo,
  unit: Unit,
  { values, mask }: { values: string; mask: string },
  { powers, two, flat }: Shared,
  main: Graph,
  patch: Patch,
  fresh: (name: string) => string,
): Node[] {
  const { name, dtype, shape } = target;
  const { rows, columns, inner, size, count } = unitsOf(shape, unit) as Units;
  const nodes: Node[] = [];
  const own = (): string => fresh(`${name}/`);
  const constant = (dims: readonly number[]): string => {
    const made = own();
    patch.addTensor(main, int64Tensor(made, [dims.length], dims));
    return made;
  };
  const add = (op: string, input: string[], attributes: Record<string, number | number[]> = {}, rest: Partial<Node> = {}): string => {
    const output = own();
    nodes.push({ ...makeNode(op, input, [output], attributes), name: "", ...rest });
    return output;
  };
  const bytes = add("Cast", [mask], { to: dataType("int32") });
  const bit = add("Mod", [add("Div", [bytes, powers]), two]);
  const found = add("NonZero", [add("Reshape", [add("Cast", [bit], { to: dataType("bool") }), flat])]);
  const places = add("Transpose", [found], { perm: [1, 0] });
  const value: TensorBytes = { name: "", dtype, shape: [1], bytes: new Uint8Array(byteLength(dtype, [1])) };
  const zeros = add("ConstantOfShape", [constant(size === 1 ? [count] : [count, size])], {}, { tensors: { value } });
  let dense = add("ScatterND", [zeros, places, values]);
  if (size > 1) {
    const apart = add("Reshape", [dense, constant([rows, columns, inner, ...unit])]);
    dense = add("Transpose", [apart], { perm: [0, 3, 1, 4, 2] });
  }
  nodes.push({ ...makeNode("Reshape", [dense, constant(shape)], [name]), name: "" });
  return nodes;
}

/** Chunks of a tensor's elements in the order of its units, one whole unit after the other. `size` is the bytes of an element. */
export async function* unitOrder(
  chunks: AsyncIterable<Uint8Array>,
  shape: readonly number[],
  [first, second]: Unit,
  size: number,
): AsyncGenerator<Uint8Array> {
  if (first === 1 && second === 1) {
    yield* whole(chunks, size);
    return;
  }
  const { columns, inner } = unitsOf(shape, [first, second]) as Units;
  const line = columns * second * inner; // elements of one index of the first axis
  for await (const band of whole(chunks, first * line * size)) {
    const ordered = new Uint8Array(band.byteLength);
    let at = 0;
    for (let top = 0; top < band.byteLength; top += first * line * size)
      for (let column = 0; column < columns; column++)
        for (let i = 0; i < inner; i++)
          for (let a = 0; a < first; a++)
            for (let b = 0; b < second; b++) {
              const from = top + (a * line + (column * second + b) * inner + i) * size;
              for (let byte = 0; byte < size; byte++) ordered[at++] = band[from + byte] as number;
            }
    yield ordered;
  }
}

/** Which units are not zero, a bit each from the least of the first byte on, and how many there are. Of floats −0 is zero too. */
export class NonZero {
  readonly bits: Uint8Array<ArrayBuffer>;
  readonly #elements: number;
  readonly #size: number;
  count = 0;
  #at = 0;

  constructor({ dtype, shape }: TensorInfo, unit: Unit) {
    const { count, size } = unitsOf(shape, unit) as Units;
    this.bits = new Uint8Array(Math.ceil(count / 8));
    this.#elements = size;
    this.#size = BITS[dtype] / 8;
  }

  /** Takes whole units, in their order. */
  add(bytes: Uint8Array): void {
    const step = this.#elements * this.#size;
    for (let from = 0; from < bytes.byteLength; from += step, this.#at++) {
      let at = from;
      while (at < from + step && !isNonZero(bytes, at, this.#size)) at += this.#size;
      if (at === from + step) continue;
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

/** Leaves the units of which the bit is set, chunk after chunk of whole ones, each of so many bytes. */
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

/** The same bytes in chunks of a multiple of `size`. */
async function* whole(chunks: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let rest = new Uint8Array(0);
  for await (const chunk of chunks) {
    const all = rest.byteLength === 0 ? chunk : joined(rest, chunk);
    const length = all.byteLength - (all.byteLength % size);
    if (length > 0) yield all.subarray(0, length);
    rest = all.slice(length);
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.byteLength + b.byteLength);
  both.set(a);
  both.set(b, a.byteLength);
  return both;
}
