/** Mutations as data, so that a failing list of them can be shrunk and told. */
import fc from "fast-check";
import { concat, varint } from "../kit/wire.ts";
import { corpus, type Specimen } from "./corpus.ts";
import { lists, readTree, structure, type Tree, writeTree } from "./tree.ts";

const KINDS = ["flip", "set", "delete", "insert", "copy", "splice", "length"] as const;
const TREE_KINDS = ["drop", "repeat", "move", "renumber", "rewire", "value", "content", "graft"] as const;

export interface Mutation {
  kind: (typeof KINDS)[number] | (typeof TREE_KINDS)[number];
  /** Where, as a fraction of the places there are; and where else. */
  at: number;
  to: number;
  /** Which value, or how many bytes. */
  n: number;
}

export interface Case {
  specimen: number;
  mutations: Mutation[];
}

/** Numbers on the edge of something. */
const EDGES = [
  0n,
  1n,
  2n,
  7n,
  127n,
  128n,
  255n,
  2047n,
  2048n,
  65536n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];
/** Text that means something to JavaScript, JSON or UTF-8. */
const WORDS = [
  "",
  "w",
  "x",
  "__proto__",
  "constructor",
  "\u0000",
  "\ufeffw",
  "w_quantized",
  "Cast",
  "MatMul",
  "Constant",
  "If",
  "value",
  "perm",
  '"',
  "axis",
];
const text = new TextEncoder();

const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom(...KINDS, ...TREE_KINDS, ...TREE_KINDS),
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  to: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  n: fc.nat(255),
});

export const cases: fc.Arbitrary<Case> = fc.record({
  specimen: fc.nat(corpus.length - 1),
  mutations: fc.array(mutation, { minLength: 1, maxLength: 6, size: "max" }),
});

const pick = <T>(list: readonly T[], fraction: number): T => list[Math.floor(fraction * list.length)] as T;
const splice = (bytes: Uint8Array, at: number, remove: number, add: Uint8Array): Uint8Array =>
  concat([bytes.subarray(0, at), add, bytes.subarray(Math.min(bytes.length, at + remove))]);

/** Bytes of a specimen that stand for its structure, kept: finding them takes a walk. */
const structures = corpus.map(({ bytes, format }) => structure(bytes, format));

function mutateBytes(bytes: Uint8Array, places: readonly number[], { kind, at, to, n }: Mutation): Uint8Array {
  if (bytes.length === 0) return Uint8Array.of(n);
  const place = Math.min(pick(places, at), bytes.length - 1);
  const other = Math.min(pick(places, to), bytes.length - 1);
  const changed = bytes.slice();
  switch (kind) {
    case "flip":
      changed[place] = (bytes[place] as number) ^ (1 << (n & 7));
      return changed;
    case "set":
      changed[place] = n & 1 ? n : Number(pick(EDGES, n / 256) & 255n);
      return changed;
    case "delete":
      return splice(bytes, place, n, new Uint8Array(0));
    case "insert":
      return splice(bytes, place, 0, new Uint8Array(n & 15).fill(n));
    case "copy":
      return splice(bytes, place, 0, bytes.subarray(other, other + n));
    case "splice": {
      const donor = pick(corpus, n / 256).bytes;
      return splice(bytes, place, n, donor.subarray(Math.floor(to * donor.length), Math.floor(to * donor.length) + n));
    }
    default:
      return splice(bytes, place, 1, varint(pick(EDGES, to), (n % 11) + 1));
  }
}

const payload = (wire: number, { at, n }: Mutation): Uint8Array => {
  if (wire === 0) return varint(pick(EDGES, n / 256));
  if (wire === 1) return new Uint8Array(8).fill(n);
  if (wire === 5) return new Uint8Array(4).fill(n);
  return n & 1 ? text.encode(pick(WORDS, at)) : new Uint8Array(n & 15).fill(n);
};

function mutateTree(tree: Tree[], change: Mutation): void {
  const { kind, at, to, n } = change;
  const all = lists(tree).filter((list) => list.length > 0);
  if (all.length === 0) return;
  const places = all.flatMap((list) => list.map((_, index) => ({ list, index })));
  const { list, index } = pick(places, at);
  const field = list[index] as Tree;
  const leaf = "wire" in field ? field : undefined;
  switch (kind) {
    case "drop":
      return void list.splice(index, 1);
    case "repeat":
      return void list.splice(index, 0, structuredClone(field));
    case "move":
      list.splice(index, 1);
      return void (n & 1 ? pick(all, to) : list).splice(n >> 4, 0, field);
    case "renumber":
      field.number = n & 1 ? (n >> 1) % 16 : Math.max(1, n);
      return;
    case "rewire": {
      const wire = pick([0, 1, 2, 5], to);
      list[index] = { number: field.number, wire, content: payload(wire, change) };
      return;
    }
    case "value":
      if (leaf) leaf.content = payload(leaf.wire, { ...change, at: to });
      return;
    case "content": {
      const donor = pick(places, to);
      const from = donor.list[donor.index] as Tree;
      if (leaf && "wire" in from && from.wire === leaf.wire) leaf.content = from.content;
      return;
    }
    default: {
      const donor = pick(corpus, n / 256);
      if (donor.format === "onnx") list.splice(index, 0, structuredClone(pick(pick(lists(readTree(donor.bytes)), to), at)));
    }
  }
}

const isTreeKind = (kind: string): boolean => (TREE_KINDS as readonly string[]).includes(kind);

/** The bytes of a case: first what keeps lengths right, then what does not. */
export function mutate({ specimen, mutations }: Case): Specimen {
  const base = corpus[specimen] as Specimen;
  let { bytes } = base;
  const ordered = mutations.filter(({ kind }) => isTreeKind(kind));
  if (base.format === "onnx" && ordered.length > 0) {
    const tree = readTree(bytes);
    for (const change of ordered) mutateTree(tree, change);
    bytes = writeTree(tree);
  }
  const places = structures[specimen] as number[];
  for (const change of mutations) if (!isTreeKind(change.kind)) bytes = mutateBytes(bytes, places, change);
  return { ...base, bytes };
}
