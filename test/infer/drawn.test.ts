/** Graphs that nobody wrote run as onnxruntime runs them; where a graph magnifies rounding, no farther off than it from doubles. */
import { expect, test } from "vitest";
import { load } from "../../src/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { drawnGraph } from "../kit/drawn-graphs.ts";
import { interpret } from "../kit/interpreter.ts";
import { randn } from "../kit/onnx.ts";
import { runNode } from "../kit/ort.ts";

/** More where EDGESLIM_DRAWN says so. */
const COUNT = Number(process.env.EDGESLIM_DRAWN ?? 150);
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

test(`${COUNT} graphs`, { timeout: COUNT * 1000 }, async () => {
  const wrong: string[] = [];
  let ran = 0;
  for (let seed = FIRST + 1; seed <= FIRST + COUNT; seed++) {
    const opset = [11, 12, 13, 17][seed % 4] as number;
    const { bytes, shape } = drawnGraph(seed, 4 + (seed % 13), opset);
    const data = randn(
      shape.reduce((n, d) => n * d, 1),
      seed,
    );
    const expected = await runNode(bytes, { x: { type: "float32", dims: shape, data } }).catch((error: Error) => error);
    if (expected instanceof Error) continue;
    ran++;
    const x: Tensor = { dtype: "float32", shape, data };
    try {
      const given = await (await load(bytes)).run({ x });
      let exact: Awaited<ReturnType<typeof interpret>> | undefined;
      for (const [name, { dims, data: list }] of Object.entries(expected)) {
        const own = given[name];
        if (own?.shape.join() !== dims.join()) wrong.push(`${seed}: ${name} is [${own?.shape}], not [${dims}]`);
        const gap = apart(own?.data as Numbers, list as Numbers);
        if (gap <= 2e-4) continue;
        exact ??= await interpret(bytes, new Map([["x", x]]));
        const doubles = (exact.get(name) as Tensor).data as Numbers;
        const [ours, theirs] = [own?.data as Numbers, list as Numbers].map((each) => apart(each, doubles)) as [number, number];
        if (!(ours <= theirs)) wrong.push(`${seed}: ${name} is ${gap} off, and ${ours} from doubles, where onnxruntime is ${theirs}`);
      }
    } catch (error) {
      wrong.push(`${seed}: ${error}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(ran).toBeGreaterThan(COUNT / 2);
});
