import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { InferKernels } from "../../src/kernels/infer/kernels.ts";
import { table } from "../../src/kernels/infer/table.ts";
import { Kernels } from "../../src/kernels/kernels.ts";
import { call, check, compiled, expected, relaxed, runnable, VARIANTS, wasm } from "./harness.ts";

const modules = await compiled("infer");
const instance = (variant: "simd" | "relaxed") => Kernels.instantiate<InferKernels>({ [variant]: modules[variant] });

describe.each(runnable)("%s", (variant) => {
  const kernels = instance(variant);

  test.each(table.map((row) => [row.name, row] as const))("%s equals its reference at every shape, value and alignment", (name, row) => {
    for (const one of row.cases()) {
      const want = expected(row, one.args);
      for (const offset of [0, 4]) check(row, one, want, call(kernels, name, one.args, offset));
    }
  });
});

test.each([1, 2, 4, 8])("strided_copy goes backwards over elements of %i bytes", (width) => {
  const { arena, fn } = instance("simd");
  const [axes, x, y] = [arena.alloc(16), arena.alloc(48), arena.alloc(48)];
  const bytes = Uint8Array.from({ length: 6 * width }, (_, i) => i);
  arena.u8(x, bytes.length).set(bytes);
  new Int32Array(arena.u8(axes, 16).buffer, axes, 4).set([2, 3, -3, -1]);
  fn.strided_copy(width, 2, axes, x + 5 * width, y);
  const backwards = [5, 4, 3, 2, 1, 0].flatMap((i) => [...bytes.subarray(i * width, (i + 1) * width)]);
  expect([...arena.u8(y, bytes.length)]).toEqual(backwards);
});

describe.each(VARIANTS)("infer.%s.wasm", (variant) => {
  test("exports exactly the kernels of the table", () => {
    const functions = WebAssembly.Module.exports(modules[variant]).filter((e) => e.kind === "function");
    expect(functions.map((e) => e.name).sort()).toEqual(table.map((row) => row.name).sort());
  });

  test("takes at most 150 KB gzipped", async () => {
    expect(gzipSync(await readFile(wasm("infer", variant))).length).toBeLessThanOrEqual(150_000);
  });

  test("imports nothing but its memory", () => {
    expect(WebAssembly.Module.imports(modules[variant])).toMatchObject([{ module: "env", name: "memory", kind: "memory" }]);
  });
});

test.skipIf(!relaxed)("kernels without a tolerance agree bit for bit in both builds", () => {
  const [a, b] = VARIANTS.map(instance) as [Kernels<InferKernels>, Kernels<InferKernels>];
  for (const row of table.filter(({ tolerance }) => tolerance === undefined)) {
    for (const { label, args } of row.cases()) {
      const [one, two] = [call(a, row.name, args, 0), call(b, row.name, args, 0)];
      if (!Object.is(one.returned, two.returned)) expect.fail(`${row.name} ${label}: ${one.returned} and ${two.returned}`);
      for (const [i, bytes] of one.written.entries())
        if (Buffer.compare(bytes, two.written[i]!) !== 0) expect.fail(`${row.name} ${label}: output ${i} differs`);
    }
  }
});
