import type { Node } from "../../graph/graph.ts";
import { Patch } from "../../graph/patch.ts";
import { bytesIn, memoryPayload, type Payload } from "../../payload.ts";
import { arrayOf, BITS, byteLength, elements } from "../../tensor.ts";
import type { Document } from "./document.ts";
import type { TensorDefinition } from "./read.ts";
import { ELEMENT, type Unit, type Units, unitsOf } from "./sparse.ts";

/** The operators from the mask to the places that are set, each with its constant input where that counts. */
const CHAIN = ["Transpose", "NonZero", "Reshape", "Cast", "Mod", "Div", "Cast"] as const;
const POWERS = [1, 2, 4, 8, 16, 32, 64, 128];

/**
 * Gives a model back the tensors that are written without their zeros (sparse.ts), in the place of the nodes that make them. Their bytes are made as
 * they are read.
 */
export async function unpackSparse(document: Document, definitions: readonly TensorDefinition[]): Promise<TensorDefinition[]> {
  const { main, values } = document;
  if (!values.operators.has("ScatterND") || !values.operators.has("NonZero")) return [...definitions];
  const constants = new Map(definitions.filter(({ home }) => home === main).map((each) => [each.info.name, each]));
  const makers = new Map(main.nodes.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const patch = new Patch();
  const gone = new Set<TensorDefinition>();
  const found: TensorDefinition[] = [];
  for (const node of main.nodes) {
    const packed = node.domain === "" && node.op_type === "Reshape" ? await matched(node, makers, constants) : undefined;
    if (!packed) continue;
    const [name = ""] = node.output;
    for (const each of packed.nodes) patch.remove(each);
    patch.define(main, name);
    for (const each of [packed.values, packed.mask]) {
      if (values.uses(each.info.name, main).length > 1) continue;
      gone.add(each);
      if (each.constant) patch.remove(each.constant);
      else patch.undefine(main, each.info.name);
    }
    const info = { name, dtype: packed.values.info.dtype, shape: packed.shape };
    document.tensors.set(name, info);
    found.push({ info, home: main, payload: unpacked(packed, info.shape), bulk: [] });
  }
  if (found.length === 0) return [...definitions];
  document.apply(patch);
  return [...definitions.filter((each) => !gone.has(each)), ...found];
}

interface PackedTensor {
  nodes: readonly Node[];
  values: TensorDefinition;
  mask: TensorDefinition;
  shape: number[];
  unit: Unit;
}

/** What a Reshape makes of values and a mask, where that is all it makes. */
async function matched(
  node: Node,
  makers: ReadonlyMap<string, Node>,
  constants: ReadonlyMap<string, TensorDefinition>,
): Promise<PackedTensor | undefined> {
  const before = makers.get(node.input[0] ?? "");
  const apart = before?.op_type === "Transpose" ? makers.get(before.input[0] ?? "") : undefined;
  const scatter = apart ? makers.get(apart.input[0] ?? "") : before;
  if (scatter?.op_type !== "ScatterND" || scatter.attributes.reduction !== undefined) return undefined;
  const [zeros, values] = [makers.get(scatter.input[0] ?? ""), constants.get(scatter.input[2] ?? "")];
  const shape = await integers(constants.get(node.input[1] ?? ""));
  const count = await integers(constants.get(zeros?.input[0] ?? ""));
  const sides = apart ? await integers(constants.get(apart.input[1] ?? "")) : undefined;
  const unit: Unit = sides?.length === 5 ? [sides[3] as number, sides[4] as number] : ELEMENT;
  const units = shape && unitsOf(shape, unit);
  if (zeros?.op_type !== "ConstantOfShape" || !values || !units || !count || elements(count) !== units.count * units.size) return undefined;
  const isApart =
    sides?.join() === [units.rows, units.columns, units.inner, ...unit].join() && before?.attributes.perm?.toString() === "0,3,1,4,2";
  if (apart && !(apart.op_type === "Reshape" && isApart)) return undefined;
  const nodes: Node[] = [node, scatter, zeros, ...(apart && before ? [before, apart] : [])];
  let at = scatter.input[1] ?? "";
  for (const op_type of CHAIN) {
    const maker = makers.get(at);
    if (maker?.op_type !== op_type || maker.domain !== "") return undefined;
    nodes.push(maker);
    if (op_type === "Div" && (await integers(constants.get(maker.input[1] ?? "")))?.join() !== POWERS.join()) return undefined;
    if (op_type === "Mod" && (await integers(constants.get(maker.input[1] ?? "")))?.join() !== "2") return undefined;
    at = maker.input[0] ?? "";
  }
  const mask = constants.get(at);
  const isWhole = mask?.info.dtype === "uint8" && elements(mask.info.shape) === Math.ceil(units.count / 8);
  return mask && isWhole && values.payload && mask.payload ? { nodes, values, mask, shape, unit } : undefined;
}

async function integers(definition: TensorDefinition | undefined): Promise<number[] | undefined> {
  const { info, payload } = definition ?? {};
  if (!info || !payload || !/^int(32|64)$/.test(info.dtype) || elements(info.shape) > 64) return undefined;
  return Array.from(arrayOf(info.dtype, await bytesIn(payload)) as ArrayLike<number | bigint>, Number);
}

/** The elements with their zeros, some lines of units at a time. */
function unpacked({ values, mask, unit }: PackedTensor, shape: readonly number[]): Payload {
  const { dtype } = values.info;
  const size = BITS[dtype] / 8;
  const { columns, inner, count, size: width } = unitsOf(shape, unit) as Units;
  const line = width === 1 ? Math.min(count, RUN) : columns * inner; // units that make whole lines of elements
  return {
    length: byteLength(dtype, shape),
    again: true,
    async *chunks() {
      const bits = await bytesIn(mask.payload as Payload);
      const next = reader(values.payload ?? memoryPayload(new Uint8Array(0)));
      for (let at = 0; at < count; at += line) {
        const units = Math.min(line, count - at);
        const set: number[] = [];
        for (let i = 0; i < units; i++) if ((bits[(at + i) >> 3] as number) & (1 << ((at + i) & 7))) set.push(i);
        const packed = await next(set.length * width * size);
        const bytes = new Uint8Array(units * width * size);
        set.forEach((i, p) => {
          for (let e = 0; e < width; e++) {
            const to = width === 1 ? i : placeOf(i, e, unit, columns, inner);
            for (let b = 0; b < size; b++) bytes[to * size + b] = packed[(p * width + e) * size + b] as number;
          }
        });
        yield bytes;
      }
    },
  };
}

/** Where element `e` of unit `i` of a line of units lies among its elements. */
const placeOf = (i: number, e: number, [, second]: Unit, columns: number, inner: number): number => {
  const [column, place] = [Math.floor(i / inner), i % inner];
  const [a, b] = [Math.floor(e / second), e % second];
  return a * columns * second * inner + (column * second + b) * inner + place;
};

/** Elements that are unpacked at a time. */
const RUN = 1 << 14;

/** The next so many bytes of a payload. */
function reader(payload: Payload): (length: number) => Promise<Uint8Array> {
  const chunks = payload.chunks()[Symbol.asyncIterator]();
  let rest = new Uint8Array(0);
  return async (length) => {
    const bytes = new Uint8Array(length);
    for (let fill = 0; fill < length; ) {
      if (rest.byteLength === 0) {
        const { done, value } = await chunks.next();
        if (done) break; // fewer values than bits: the rest is zero
        rest = value.slice();
        continue;
      }
      const taken = Math.min(rest.byteLength, length - fill);
      bytes.set(rest.subarray(0, taken), fill);
      rest = rest.subarray(taken);
      fill += taken;
    }
    return bytes;
  };
}
