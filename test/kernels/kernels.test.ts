import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type CompressKernels, Kernels } from "../../src/kernels/kernels.ts";
import * as reference from "../../src/kernels/reference.ts";
import { random } from "../../src/kernels/row.ts";
import { table } from "../../src/kernels/table.ts";
import { call, check, compiled, expected, relaxed, runnable, VARIANTS, wasm } from "./harness.ts";

const modules = await compiled("compress");

describe.each(runnable)("%s", (variant) => {
  const kernels = Kernels.instantiate<CompressKernels>({ [variant]: modules[variant] });

  test("is the variant asked for", () => expect(kernels.variant).toBe(variant));

  test.each(table.map((row) => [row.name, row] as const))("%s equals its reference at every shape, value and alignment", (name, row) => {
    for (const one of row.cases()) {
      const want = expected(row, one.args);
      for (const offset of [0, 4, 1, 10]) check(row, one, want, call(kernels, name, one.args, offset));
    }
  });

  test("every half survives a round trip", () => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
    for (const [widen, narrow, infinity, quiet] of [
      ["f16_f32", "f32_f16", 0x7c00, 0x200],
      ["bf16_f32", "f32_bf16", 0x7f80, 0x40],
    ] as const) {
      const floats = call(
        kernels,
        widen,
        [all.length, { data: all, written: false }, { data: new Uint32Array(all.length), written: true }],
        0,
      );
      const data = new Uint32Array(floats.written[0]!.buffer);
      const back = call(kernels, narrow, [all.length, { data, written: false }, { data: new Uint16Array(all.length), written: true }], 0);
      expect(new Uint16Array(back.written[0]!.buffer)).toEqual(all.map((h) => ((h & 0x7fff) > infinity ? h | quiet : h)));
    }
  });

  test("f32_f16 and f32_bf16 round at and next to every tie", () => {
    for (const [name, shift] of [
      ["f32_f16", 13],
      ["f32_bf16", 16],
    ] as const) {
      // Every value of the narrow type, the middle to the next and one bit to each side of both.
      const data = new Uint32Array(6 * 65536);
      for (let h = 0; h < 65536; h++) {
        const base = name === "f32_bf16" ? h << 16 : halfBits(h);
        for (const [i, d] of [-1, 0, 1].entries()) {
          data[h * 6 + i] = base + d;
          data[h * 6 + 3 + i] = base + (1 << (shift - 1)) + d;
        }
      }
      const args = [data.length, { data, written: false }, { data: new Uint16Array(data.length), written: true }];
      const row = table.find((r) => r.name === name)!;
      check(row, { label: name, args }, expected(row, args), call(kernels, name, args, 0));
    }
  });

  test("the two ways to int8 per channel give the same bytes", () => {
    const next = random(3);
    const x = Float32Array.from({ length: 7 * 133 }, (_, i) => (next() - 0.5) * 10 ** ((i % 7) * 12 - 40));
    const channelsLast = Float32Array.from(x, (_, i) => x[(i % 7) * 133 + Math.floor(i / 7)]!);
    const { arena, fn } = kernels;
    const [a, b, y, z] = [x.byteLength, x.byteLength, x.length, x.length].map((n) => arena.alloc(n)) as [number, number, number, number];
    const [s, m, t, inv] = [28, 28, 28, 28].map((n) => arena.alloc(n)) as [number, number, number, number];
    arena.f32(a, x.length).set(channelsLast);
    arena.f32(b, x.length).set(Float32Array.from(x, (_, i) => x[i]!));
    arena.f32(m, 7).fill(0);
    fn.f32_qc8w_rows(7, 133, b, y, s);
    fn.f32_absmax_channels(133, 7, 1, a, m);
    fn.qc8w_scales(7, m, t, inv);
    fn.f32_qc8w_channels(133, 7, 1, a, z, inv);
    expect(arena.f32(t, 7)).toEqual(arena.f32(s, 7));
    expect(arena.u8(z, x.length)).toEqual(arena.u8(y, x.length).map((_, i, all) => all[(i % 7) * 133 + Math.floor(i / 7)]!));
  });

  test("the error of int8 is at most half a scale", () => {
    const next = random(5);
    for (const size of [1e-28, 1e-3, 1, 1e35]) {
      const x = Float32Array.from({ length: 4096 }, () => (next() - 0.5) * size);
      const data = { data: x, written: false };
      const [q8, s8] = call(
        kernels,
        "f32_qc8w_rows",
        [32, 128, data, { data: new Int8Array(4096), written: true }, { data: new Float32Array(32), written: true }],
        0,
      ).written.map((bytes) => bytes.buffer) as [ArrayBuffer, ArrayBuffer];
      const [values, scale] = [new Int8Array(q8), new Float32Array(s8)];
      for (let i = 0; i < x.length; i++) {
        const s = scale[i >> 7]!;
        expect(Math.abs(x[i]! - values[i]! * s)).toBeLessThanOrEqual((s / 2) * (1 + 2 ** -14));
      }
    }
  });
});

/** The bits of the float that a half stands for. */
function halfBits(h: number): number {
  const y = new Uint32Array(1);
  reference.f16_f32(1, Uint16Array.of(h), y);
  return y[0]!;
}

describe.each(VARIANTS)("compress.%s.wasm", (variant) => {
  const module = modules[variant]!;

  test("exports exactly the kernels of the table", () => {
    const functions = WebAssembly.Module.exports(module).filter((e) => e.kind === "function");
    expect(functions.map((e) => e.name).sort()).toEqual(table.map((row) => row.name).sort());
    const others = WebAssembly.Module.exports(module).filter((e) => e.kind !== "function");
    expect(others).toEqual([{ name: "__heap_base", kind: "global" }]);
  });

  test("takes at most 30 KiB gzipped", async () => {
    expect(gzipSync(await readFile(wasm("compress", variant))).length).toBeLessThanOrEqual(30 * 1024);
  });

  test("imports nothing but its memory", () => {
    expect(WebAssembly.Module.imports(module)).toMatchObject([{ module: "env", name: "memory", kind: "memory" }]);
  });
});

test.skipIf(!relaxed)("relaxed and plain SIMD agree bit for bit, sums included", () => {
  const [a, b] = VARIANTS.map((variant) => Kernels.instantiate<CompressKernels>({ [variant]: modules[variant] })) as [Kernels, Kernels];
  for (const row of table) {
    for (const { label, args } of row.cases()) {
      const [one, two] = [call(a, row.name, args, 0), call(b, row.name, args, 0)];
      if (!Object.is(one.returned, two.returned)) expect.fail(`${row.name} ${label}: ${one.returned} and ${two.returned}`);
      for (const [i, bytes] of one.written.entries())
        if (Buffer.compare(bytes, two.written[i]!) !== 0) expect.fail(`${row.name} ${label}: output ${i} differs`);
    }
  }
});
