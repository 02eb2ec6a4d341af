import { UnsupportedError } from "../errors.ts";
import { toBfloat16, toFloat16 } from "../ops/half.ts";
import { arrayOf, byteLength, elements, isFloat, type Tensor } from "../tensor.ts";
import { type Port, typeText } from "./ports.ts";

/** Elements of an input that is drawn, at most. */
const MAX_DRAWN = 2 ** 28;

/** Uniform numbers in [0, 1), the same for the same seed (mulberry32). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Feeds of the shapes that inputs declare, a dimension that a run binds as 1 unless `shapes` says otherwise: floats are normally distributed,
 * of mean 0 and variance 1; integers and bool are 0 or 1, which every index and mask takes; text is empty.
 */
export function randomFeeds(
  inputs: readonly Port[],
  shapes: ReadonlyMap<string, readonly number[]> = new Map(),
  seed = 1,
): Record<string, Tensor> {
  for (const name of shapes.keys())
    if (!inputs.some((input) => input.name === name))
      throw new UnsupportedError(`The model has no input '${name}' that a shape could be for`);
  const next = uniform(seed);
  return Object.fromEntries(
    inputs
      .filter(({ name, optional }) => !optional || shapes.has(name))
      .map((port) => [port.name, drawn(port, shapes.get(port.name), next)]),
  );
}

function drawn(port: Port, said: readonly number[] | undefined, next: () => number): Tensor {
  const { name, dtype = "float32", shape: declared } = port;
  const shape = said ?? declared?.map((d) => (typeof d === "number" ? d : 1));
  if (!shape) throw new UnsupportedError(`The input ${name}: ${typeText(port)} has no shape of its own; say one`);
  if (!(elements(shape) <= MAX_DRAWN)) throw new UnsupportedError(`The input ${name}: ${typeText(port)} is too large to be drawn`);
  if (dtype === "string") return { dtype, shape, data: new Array<string>(elements(shape)).fill("") };
  const data = arrayOf(dtype, new Uint8Array(byteLength(dtype, shape)));
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const draw: () => number | bigint =
    data instanceof BigInt64Array || data instanceof BigUint64Array
      ? () => (next() < 0.5 ? 0n : 1n)
      : dtype === "float16"
        ? () => toFloat16(normal())
        : dtype === "bfloat16"
          ? () => toBfloat16(normal())
          : isFloat(dtype)
            ? normal
            : () => (next() < 0.5 ? 0 : 1);
  for (let i = 0; i < data.length; i++) data[i] = draw() as number;
  return { dtype, shape, data };
}
