/**
 * Graphs that nobody wrote run as onnxruntime runs them; where a graph magnifies rounding, ten times as far as it from the plain run in
 * doubles, at most. EDGESLIM_DRAWN says how many, EDGESLIM_DRAWN_FIRST where the seeds start.
 */
import { expect, test } from "vitest";
import { lastSteps } from "../../bench/agreement.ts";
import { compress, load } from "../../src/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { calibrating, tensorsOf } from "../kit/calibrating.ts";
import { drawnGraph } from "../kit/drawn-graphs.ts";
import { interpret } from "../kit/interpreter.ts";
import type { Feeds } from "../kit/models/model.ts";
import { randn } from "../kit/onnx.ts";
import { runNode } from "../kit/ort.ts";

const COUNT = Number(process.env.EDGESLIM_DRAWN ?? 200);
const FIRST = Number(process.env.EDGESLIM_DRAWN_FIRST ?? 0);

type Numbers = ArrayLike<number | bigint>;

/** The largest difference, against the largest finite element of `b`; infinite where one is a number and the other is none. */
function apart(a: Numbers, b: Numbers): number {
  let [most, gap] = [1e-6, 0];
  for (let i = 0; i < b.length; i++) {
    const [p, q] = [Number(a[i]), Number(b[i])];
    if (Number.isFinite(q)) most = Math.max(most, Math.abs(q));
    if (!Object.is(p, q) && p !== q) gap = Math.max(gap, Number.isNaN(p - q) ? Infinity : Math.abs(p - q));
  }
  return gap / most;
}

/** A graph that onnxruntime runs, and what it gives. */
async function* drawn(steps: number, opsets: readonly number[]) {
  for (let seed = FIRST + 1; seed <= FIRST + COUNT; seed++) {
    const { bytes, shape } = drawnGraph(seed, 4 + (seed % steps), opsets[seed % opsets.length] as number);
    const size = shape.reduce((n, d) => n * d, 1);
    const feed = (turn: number): Feeds => ({ x: { type: "float32", dims: shape, data: randn(size, seed + turn) } });
    const expected = await runNode(bytes, feed(0)).catch((error: Error) => error);
    if (!(expected instanceof Error)) yield { seed, bytes, feed, expected, x: tensorsOf(feed(0)).x as Tensor };
  }
}

const doubles = (bytes: Uint8Array, x: Tensor) => interpret(bytes, new Map([["x", x]])) as Promise<Map<string, Tensor>>;

test("in floats", { timeout: COUNT * 1000 }, async () => {
  const wrong: string[] = [];
  let ran = 0;
  for await (const { seed, bytes, expected, x } of drawn(13, [11, 12, 13, 17])) {
    ran++;
    const given = await (await load(bytes)).run({ x });
    let exact: Map<string, Tensor> | undefined;
    for (const [name, { dims, data }] of Object.entries(expected)) {
      const own = given[name] as Tensor;
      if (own.shape.join() !== dims.join()) wrong.push(`${seed}: ${name} is [${own.shape}], not [${dims}]`);
      const gap = apart(own.data as Numbers, data as Numbers);
      if (gap <= 2e-4) continue;
      exact ??= await doubles(bytes, x);
      const [ours, theirs] = [own.data, data].map((each) => apart(each as Numbers, exact?.get(name)?.data as Numbers));
      if (!((ours as number) <= 10 * (theirs as number)))
        wrong.push(`${seed}: ${name} is ${gap} off, and ${ours} from doubles, where onnxruntime is ${theirs}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(ran).toBeGreaterThan(COUNT / 2);
});

/** How many elements are more than a step and a half apart, and a twentieth of the largest of `b`. */
function countApart(a: Numbers, b: Numbers, step: number): number {
  const most = Array.from(b, Number).reduce((most, x) => Math.max(most, Math.abs(x)), 1e-6);
  const gap = Math.max(1.5 * step, most / 20);
  return Array.from(b, (x, i) => Math.abs(Number(a[i]) - Number(x)) > gap).filter(Boolean).length;
}

const areFinite = (tensors: readonly { data: unknown }[]): boolean =>
  tensors.every(({ data }) => Array.from(data as Numbers, Number).every(Number.isFinite));

test("in bytes", { timeout: COUNT * 1000 }, async () => {
  const wrong: string[] = [];
  let ran = 0;
  for await (const { seed, bytes, feed, expected, x } of drawn(8, [13, 17])) {
    if (!areFinite(Object.values(expected))) continue;
    const samples = [1, 2, 3].map((turn) => feed(turn * 1e6));
    const { readable } = compress(bytes, { quantize: "w8a8" }, { calibration: calibrating(bytes, samples) });
    const quantized = await new Response(readable).arrayBuffer().then(
      (buffer) => new Uint8Array(buffer),
      (error: Error) => error,
    );
    if (quantized instanceof Error) {
      if (!/would change nothing|NaN or infinite/.test(quantized.message)) wrong.push(`${seed}: ${quantized}`);
      continue;
    }
    ran++;
    const given = await (await load(quantized)).run({ x });
    const theirs = await runNode(quantized, feed(0), { graphOptimizationLevel: "disabled" });
    const exact = await doubles(quantized, x);
    if (!areFinite([...exact.values()])) continue; // a byte that stands for 0 may be divided by
    const steps = lastSteps(quantized);
    for (const [name, { data }] of exact) {
      // Sums that lie halfway between two bytes may fall to either side.
      const [own, other] = [given[name]?.data, theirs[name]?.data].map((each) =>
        countApart(each as Numbers, data as Numbers, steps.get(name) ?? 0),
      );
      if (!((own as number) <= Math.max(3, data.length / 50, other as number)))
        wrong.push(`${seed}: ${name}: ${own} of ${data.length} elements are far off, of onnxruntime's ${other}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(ran).toBeGreaterThan(COUNT / 4);
});
