/** How near outputs are to those of another runtime. */

import type { Outputs } from "../test/kit/ort.ts";
import { numbersOf, readOnnx } from "../test/kit/readonnx.ts";

function* pairs(got: Outputs, expected: Outputs): Generator<[name: string, got: Float64Array, expected: Float64Array]> {
  for (const [name, { data }] of Object.entries(expected)) {
    const [a, b] = [got[name]?.data ?? [], data].map((each) => Float64Array.from(each as ArrayLike<number>, Number));
    if (a!.length !== b!.length) throw new RangeError(`Output '${name}' has ${a!.length} elements; expected ${b!.length}`);
    yield [name, a!, b!];
  }
}

/** The largest difference over the largest element, of the output where that is most. NaN where one has a NaN that the other has not. */
export function relativeError(got: Outputs, expected: Outputs): number {
  let worst = 0;
  for (const [, a, b] of pairs(got, expected)) {
    const size = b.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const error = b.reduce((most, v, i) => Math.max(most, Object.is(a[i], v) ? 0 : Math.abs(v - a[i]!)), 0);
    worst = Math.max(worst, error === 0 ? 0 : error / size);
  }
  return worst;
}

/** The share of elements that differ by one step at most, of the output where it is least; `steps` are those of {@link lastSteps}. */
export function shareWithinStep(got: Outputs, expected: Outputs, steps: ReadonlyMap<string, number>): number {
  let least = 1;
  for (const [name, a, b] of pairs(got, expected)) {
    const step = (steps.get(name) ?? 0) * (1 + 1e-5); // products of scales and integers are rounded
    const near = b.reduce((sum, v, i) => sum + (Math.abs(v - a[i]!) <= step ? 1 : 0), 0);
    least = Math.min(least, near / b.length);
  }
  return least;
}

/** The scale of the last QuantizeLinear on the way to each output: the nearest one in nodes. Outputs that none is before are left out. */
export function lastSteps(model: Uint8Array): Map<string, number> {
  const { nodes, initializers, outputs } = readOnnx(model);
  const makers = new Map(nodes.flatMap((each) => each.outputs.map((name) => [name, each] as const)));
  const stepOf = (output: string): number | undefined => {
    const seen = new Set<string>();
    for (let front = [output]; front.length > 0; ) {
      const made = front.flatMap((name) => makers.get(name) ?? []);
      const last = made.find(({ op_type }) => op_type === "QuantizeLinear");
      const scale = initializers.get(last?.inputs[1] ?? "");
      if (scale) return Math.max(...Array.from(numbersOf(scale), Number));
      for (const name of front) seen.add(name);
      front = [...new Set(made.flatMap(({ inputs }) => inputs))].filter((name) => !seen.has(name));
    }
    return undefined;
  };
  return new Map(outputs.flatMap(({ name }) => ((step) => (step === undefined ? [] : [[name, step] as const]))(stepOf(name))));
}
