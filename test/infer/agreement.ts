/** Whether a model that is fused gives what its operators give one by one. */
import { expect } from "vitest";
import { load } from "../../src/index.ts";
import type { InferenceModel } from "../../src/runtime/model.ts";
import type { Tensor } from "../../src/tensor.ts";
import { randint, randn } from "../kit/onnx.ts";

export type Tensors = Record<string, Tensor>;

export interface Agreement {
  /** The largest difference of a float from its own, relative to the largest of the output. */
  furthest: number;
  /** The largest difference of an integer. */
  steps: number;
  /** Operators that no kernel ran. */
  plain: string[];
}

/** Feeds of a model's inputs: floats that are normally distributed, and indices in 0..11. A dimension without a size is `size`. */
export function fedTo({ inputs }: InferenceModel, size = 3, seed = 1): Tensors {
  return Object.fromEntries(
    inputs.map(({ name, dtype = "float32", shape = [] }): [string, Tensor] => {
      const dims = shape.map((d) => (typeof d === "number" ? d : size));
      const n = dims.reduce((a, b) => a * b, 1);
      if (dtype === "int64") return [name, { dtype, shape: dims, data: randint(n, 0, 12, seed) }];
      if (dtype === "bool") return [name, { dtype, shape: dims, data: new Uint8Array(n).fill(seed % 2) }];
      if (dtype !== "float32") return [name, { dtype, shape: dims, data: integers(dtype, n, seed) }];
      return [name, { dtype, shape: dims, data: randn(n, seed) }];
    }),
  );
}

function integers(dtype: string, n: number, seed: number): Int8Array | Uint8Array | Int32Array {
  const drawn = Array.from(randint(n, 0, 256, seed), Number);
  if (dtype === "uint8") return Uint8Array.from(drawn);
  return dtype === "int8" ? Int8Array.from(drawn) : Int32Array.from(drawn);
}

export async function agreement(bytes: Uint8Array, feeds: Tensors): Promise<Agreement> {
  const [fused, whole] = [await load(bytes), await load(bytes, { optimize: false })];
  const plain = new Set<string>();
  const onStep = ({ op_type, isKernel }: { op_type: string; isKernel: boolean }) => void (isKernel || plain.add(op_type));
  const [given, expected] = [(await fused.run(feeds, { onStep })) as Tensors, (await whole.run(feeds)) as Tensors];
  expect(Object.keys(given)).toEqual(Object.keys(expected));
  let [furthest, steps] = [0, 0];
  for (const [name, y] of Object.entries(expected)) {
    const own = given[name] as Tensor;
    expect([own.dtype, ...own.shape]).toEqual([y.dtype, ...y.shape]);
    let [most, apart] = [0, 0];
    for (let i = 0; i < y.data.length; i++) {
      const [a, b] = [Number(own.data[i]), Number(y.data[i])];
      most = Math.max(most, Math.abs(b));
      if (!Object.is(a, b)) apart = Math.max(apart, Math.abs(a - b));
    }
    if (/^float/.test(y.dtype)) furthest = Math.max(furthest, apart / (most || 1));
    else steps = Math.max(steps, apart);
  }
  return { furthest, steps, plain: [...plain] };
}
