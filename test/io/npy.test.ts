import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { zipSync } from "fflate/browser";
import { describe, expect, test } from "vitest";
import { FormatError, LimitError, UnsupportedError } from "../../src/errors.ts";
import { openNpy, readNpy, writeNpy } from "../../src/io/npy.ts";
import { readNpz } from "../../src/io/npz.ts";
import { memorySource } from "../../src/io/source.ts";
import type { Tensor } from "../../src/tensor.ts";

interface Case {
  file: string;
  dtype: string;
  shape: number[];
  values: (number | string)[];
}

/** What NumPy wrote, and what NumPy says is in it: fixtures/npy.py. */
const cases = JSON.parse(readFileSync(fileURLToPath(new URL("../fixtures/npy.json", import.meta.url)), "utf8")) as Record<string, Case>;
const bytesOf = (name: string): Uint8Array => new Uint8Array(Buffer.from((cases[name] as Case).file, "base64"));
const arrays = Object.entries(cases).filter(([, { dtype }]) => dtype !== undefined);

const values = ({ data }: Tensor): (number | string)[] =>
  Array.from(data as ArrayLike<number | bigint | string>, (x) => (typeof x === "bigint" ? String(x) : x));

/** An array file with a header of these words. */
function file(header: string, data: number, { major = 1, length = header.length }: { major?: number; length?: number } = {}): Uint8Array {
  const head = new Uint8Array([0x93, ...Buffer.from("NUMPY"), major, 0, length & 255, length >> 8, ...Buffer.from(header)]);
  return new Uint8Array([...head, ...new Uint8Array(data)]);
}

describe("readNpy", () => {
  test.each(arrays)("reads %s as NumPy does", async (name, { dtype, shape, values: expected }) => {
    const tensor = await readNpy(bytesOf(name));
    expect([tensor.dtype, tensor.shape]).toEqual([dtype, shape]);
    const isInteger = /^u?int/.test(dtype);
    expect(values(tensor).map((x) => (isInteger ? String(x) : x))).toEqual(expected);
  });

  test.each(arrays.filter(([, { shape }]) => shape.length > 1 && (shape[0] as number) > 0))("reads a row of %s", async (name) => {
    const array = await openNpy(memorySource(bytesOf(name)));
    const whole = values(await array.read());
    const row = whole.length / (array.shape[0] as number);
    const { shape, ...rest } = await array.rows(1, 1);
    expect(shape).toEqual([1, ...array.shape.slice(1)]);
    expect(values({ shape, ...rest })).toEqual(whole.slice(row, 2 * row));
  });

  const header = (descr: string, shape = "(2,)", order = "False") => `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }`;
  test.each<[string, Uint8Array, typeof FormatError | typeof LimitError | typeof UnsupportedError, RegExp]>([
    ["nothing", new Uint8Array(0), FormatError, /does not begin with/],
    ["a picture", new Uint8Array(Buffer.from("\x89PNG\r\n\x1a\n000000000")), FormatError, /does not begin with/],
    ["an unknown version", file(header("'<f4'"), 8, { major: 4 }), FormatError, /format version 4\.0/],
    ["a header beyond the file", file(header("'<f4'"), 0, { length: 9000 }), FormatError, /ends in the header/],
    ["a long header", file(" ".repeat(20_000), 0), LimitError, /MAX_NPY_HEADER/],
    ["code instead of a dictionary", file("__import__('os').system('true')", 0), FormatError, /not a Python dictionary/],
    ["a key too many", file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': True}", 8), FormatError, /nothing else/],
    ["a key too few", file("{'descr': '<f4', 'shape': (2,)}", 8), FormatError, /nothing else/],
    ["a negative dimension", file(header("'<f4'", "(-2,)"), 8), FormatError, /nothing else/],
    ["a dimension of 2^60", file(header("'<f4'", "(1152921504606846976,)"), 8), FormatError, /shape/],
    ["dimensions that overflow", file(header("'<f4'", "(4294967296, 4294967296)"), 8), FormatError, /more elements than any file/],
    ["65 dimensions", file(header("'<f4'", `(${"1, ".repeat(65)})`), 4), FormatError, /shape/],
    ["missing bytes", file(header("'<f4'"), 7), FormatError, /takes 8 bytes, and 7 are there/],
    ["bytes too many", file(header("'<f4'"), 9), FormatError, /takes 8 bytes, and 9 are there/],
    ["Python objects", file(header("'|O'"), 16), UnsupportedError, /pickle/],
    ["dates", file(header("'<M8[ns]'"), 16), UnsupportedError, /astype/],
    ["a structure", file(header("[('a', '<f4')]"), 8), UnsupportedError, /astype/],
    ["floats of 16 bytes", file(header("'<f16'"), 32), UnsupportedError, /astype/],
  ])("refuses %s", async (_, bytes, kind, message) => {
    const error = await readNpy(bytes).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(kind);
    expect(String(error)).toMatch(message);
  });

  test("refuses more than its limit before it reads", async () => {
    const bytes = file(header("'<f4'", "(100,)"), 400);
    let most = 0;
    const source = { size: bytes.length, read: async (at: number, n: number) => ((most = Math.max(most, n)), bytes.subarray(at, at + n)) };
    await expect((await openNpy(source, 399)).read()).rejects.toThrow(/400 bytes, of 399.*MAX_ARRAY_BYTES/);
    expect(most).toBeLessThan(100);
  });

  test("tells bytes that were changed or cut, or reads them, and throws nothing else", async () => {
    const original = bytesOf("<f4 in Fortran order");
    await fc.assert(
      fc.asyncProperty(fc.nat(original.length - 1), fc.nat(255), fc.nat(original.length), async (at, byte, length) => {
        const bytes = original.slice(0, length);
        if (at < length) bytes[at] = byte;
        const outcome = await readNpy(bytes).catch((error: unknown) => error);
        if (outcome instanceof Error)
          expect(
            [FormatError, LimitError, UnsupportedError].some((kind) => outcome instanceof kind),
            String(outcome),
          ).toBe(true);
      }),
    );
  });
});

describe("writeNpy", () => {
  const parts = (bytes: Uint8Array) => {
    const length = Buffer.from(bytes).readUInt16LE(8) + 10;
    return {
      header: Buffer.from(bytes.subarray(0, length)).toString("latin1").slice(10).trim(),
      data: Buffer.from(bytes.subarray(length)),
    };
  };
  const native = arrays.filter(([name]) => !name.startsWith(">") && !/Fortran|big|version|bytes/.test(name));

  test.each(native)("writes %s as NumPy does", async (name) => {
    const numpy = bytesOf(name);
    const ours = writeNpy(await readNpy(numpy));
    expect(parts(ours)).toEqual(parts(numpy));
    expect((ours.length - parts(ours).data.length) % 64).toBe(0);
  });

  test("refuses types that NumPy has not", () => {
    expect(() => writeNpy({ dtype: "bfloat16", shape: [1], data: new Uint16Array(1) })).toThrow(/no type bfloat16/);
  });
});

describe("readNpz", () => {
  test.each(["savez", "savez_compressed"])("reads what np.%s writes", async (name) => {
    const read = await readNpz(memorySource(bytesOf(name)));
    expect(Object.keys(read)).toEqual(["image", "a/b:0"]);
    expect(read.image).toEqual({ dtype: "float32", shape: [10, 100], data: Float32Array.from({ length: 1000 }, (_, i) => i) });
    expect(read["a/b:0"]).toEqual({ dtype: "int64", shape: [2], data: BigInt64Array.of(3n, 4n) });
  });

  test("refuses an archive that unpacks to more than its limit, before it does", async () => {
    const bytes = bytesOf("savez_compressed");
    await expect(readNpz(memorySource(bytes), 4000)).rejects.toThrow(/MAX_ARRAY_BYTES/);
    await expect(readNpz(memorySource(bytes), bytes.length - 1)).rejects.toThrow(/MAX_ARRAY_BYTES/);
  });

  test("tells bytes that were changed or cut, or reads them, and throws nothing else", async () => {
    const original = bytesOf("savez_compressed");
    await fc.assert(
      fc.asyncProperty(fc.nat(original.length - 1), fc.nat(255), fc.nat(original.length), async (at, byte, length) => {
        const bytes = original.slice(0, Math.max(length, original.length - 200));
        bytes[Math.min(at, bytes.length - 1)] = byte;
        const outcome = await readNpz(memorySource(bytes), 1 << 20).catch((error: unknown) => error);
        if (outcome instanceof Error)
          expect(
            [FormatError, LimitError, UnsupportedError].some((kind) => outcome instanceof kind),
            String(outcome),
          ).toBe(true);
      }),
    );
  });
});

test.each(["stored", "deflated"])("a byte of a %s .npz that is another is found", async (kind) => {
  const archive = zipSync({
    "x.npy": [writeNpy({ dtype: "float32", shape: [64], data: new Float32Array(64).fill(1.5) }), { level: kind === "stored" ? 0 : 9 }],
  });
  expect(await readNpz(memorySource(archive))).toHaveProperty("x");
  const broken = archive.slice();
  broken[kind === "stored" ? 200 : 60] = (broken[kind === "stored" ? 200 : 60] as number) ^ 8;
  await expect(readNpz(memorySource(broken))).rejects.toThrow(FormatError);
});
