import { makeNode, type Node } from "../../src/graph/graph.ts";
import type { DType, Tensor } from "../../src/tensor.ts";
import { rng } from "../kit/onnx.ts";
import { count, tensorFrom } from "./arbitrary.ts";
import type { Computed, Input } from "./computed-cases.ts";

const BOUNDS: Partial<Record<DType, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int4: [-8, 7],
  uint4: [0, 15],
  bool: [0, 1],
};

function element(dtype: DType, random: () => number): number {
  if (/float/.test(dtype)) return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const [low, high] = BOUNDS[dtype] ?? [-9, 9];
  return low + Math.floor(random() * (high - low + 1));
}

function made({ dtype, shape, fill }: Input, random: () => number): Tensor {
  const at = (i: number): number =>
    fill === "any" ? element(dtype, random) : typeof fill === "function" ? fill(i) : (fill[i % fill.length] as number);
  const list = Array.from({ length: count(shape) }, (_, i) => at(i));
  if (dtype.startsWith("float8")) return { dtype, shape, data: Uint8Array.from(list) };
  if (dtype !== "int4" && dtype !== "uint4") return tensorFrom(dtype, shape, list);
  const pair = (i: number) => ((list[2 * i] as number) & 15) | (((list[2 * i + 1] ?? 0) & 15) << 4);
  return { dtype, shape, data: Uint8Array.from({ length: Math.ceil(list.length / 2) }, (_, i) => pair(i)) };
}

/** The tensors of a case, which are the same each time. */
export function tensorsOf(inputs: Computed["inputs"]): (Tensor | undefined)[] {
  const random = rng(7);
  return inputs.map((x) => x && made(x, random));
}

/** The node of a case, as it is read from a file. */
export function nodeOf({ op, domain = "", inputs, attributes = {}, outputs = 1 }: Computed): Node {
  const plain = Object.entries(attributes).map(([name, value]) => [
    name,
    typeof value === "object" && !Array.isArray(value) ? Object.values(value)[0] : value,
  ]);
  return makeNode(
    op,
    inputs.map((x, i) => (x ? `x${i}` : "")),
    Array.from({ length: outputs }, (_, i) => `y${i}`),
    Object.fromEntries(plain) as Record<string, number>,
    domain,
  );
}
