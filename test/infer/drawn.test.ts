/** Graphs that nobody wrote run as onnxruntime runs them. */
import { expect, test } from "vitest";
import { load } from "../../src/index.ts";
import { drawnGraph } from "../kit/drawn-graphs.ts";
import { randn } from "../kit/onnx.ts";
import { runNode } from "../kit/ort.ts";

/** More where EDGESLIM_DRAWN says so. */
const COUNT = Number(process.env.EDGESLIM_DRAWN ?? 150);
const FIRST = Number(process.env.EDGESLIM_DRAWN_FIRST ?? 0);

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
    try {
      const given = await (await load(bytes)).run({ x: { dtype: "float32", shape, data } });
      for (const [name, { dims, data: list }] of Object.entries(expected)) {
        const own = given[name];
        if (own?.shape.join() !== dims.join()) wrong.push(`${seed}: ${name} is [${own?.shape}], not [${dims}]`);
        let [most, apart] = [1e-6, 0];
        for (let i = 0; i < list.length; i++) {
          const [a, b] = [Number(own?.data[i]), Number(list[i])];
          if (Number.isFinite(b)) most = Math.max(most, Math.abs(b));
          if (!Object.is(a, b) && a !== b) apart = Math.max(apart, Number.isNaN(a) !== Number.isNaN(b) ? Infinity : Math.abs(a - b));
        }
        if (!(apart <= 2e-4 * most)) wrong.push(`${seed}: ${name} is ${apart} off, of ${most}`);
      }
    } catch (error) {
      wrong.push(`${seed}: ${error}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(ran).toBeGreaterThan(COUNT / 2);
});
