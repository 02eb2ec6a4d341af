import { describe, expect, test } from "vitest";
import { LimitError } from "../../src/errors.ts";
import { Arena } from "../../src/kernels/arena.ts";
import { Kernels } from "../../src/kernels/kernels.ts";
import { supportsRelaxed } from "../../src/kernels/relaxed.ts";
import { compressModules } from "../../src/kernels/wasm.ts";

const memory = (): WebAssembly.Memory => new WebAssembly.Memory({ initial: 1 });

describe("Arena", () => {
  test("hands out multiples of 16 from its base on, without overlap", () => {
    const arena = new Arena(memory(), 1001, 1 << 20);
    expect([0, 1, 16, 17, 5].map((n) => arena.alloc(n))).toEqual([1008, 1008, 1024, 1040, 1072]);
  });

  test("grows its memory by what is missing", () => {
    const own = memory();
    const arena = new Arena(own, 0, 1 << 24);
    arena.alloc(65536);
    expect(own.buffer.byteLength).toBe(65536);
    const address = arena.alloc(1_000_000);
    arena.u8(address, 1_000_000).fill(7);
    expect(arena.f32(address, 250_000)).toHaveLength(250_000);
    expect(own.buffer.byteLength).toBe(65536 * 17);
  });

  test("frees down to a mark, and remembers its peak", () => {
    const arena = new Arena(memory(), 64, 1 << 20);
    arena.alloc(32);
    const mark = arena.mark();
    const first = arena.alloc(1000);
    arena.reset(mark);
    expect(arena.alloc(16)).toBe(first);
    expect(arena.peak).toBe(32 + 1008);
  });

  test.each([4097, Number.NaN, Number.POSITIVE_INFINITY])("refuses %d bytes of 4096 by the name of the limit, and goes on", (bytes) => {
    const arena = new Arena(memory(), 512, 4096);
    expect(() => arena.alloc(bytes)).toThrow(LimitError);
    expect(() => arena.alloc(bytes)).toThrow("MAX_ARENA");
    expect(arena.alloc(4096)).toBe(512);
  });

  test("says so where the platform gives no more memory", () => {
    const arena = new Arena(new WebAssembly.Memory({ initial: 1, maximum: 2 }), 0, 1 << 30);
    expect(() => arena.alloc(200_000)).toThrow("Cannot allocate 200000 bytes: the platform gives no more WebAssembly memory");
  });
});

describe("Kernels", () => {
  test("load the one variant that suits the runtime", async () => {
    const modules = await compressModules();
    const variant = supportsRelaxed() ? "relaxed" : "simd";
    expect(Object.keys(modules)).toEqual([variant]);
    expect(Kernels.instantiate(modules).variant).toBe(variant);
  });

  test("keep to the bytes they are given", async () => {
    const { arena } = Kernels.instantiate(await compressModules(), 1024);
    expect(() => arena.alloc(1025)).toThrow("MAX_ARENA");
  });

  test("need a module", () => {
    expect(() => Kernels.instantiate({})).toThrow(TypeError);
  });
});
