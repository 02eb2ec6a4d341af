/** Integer kernels beyond their rows: weights packed in any form, with their zero blocks or without, give the same sums, and onnxruntime agrees where it decides. */
import { describe, expect, test } from "vitest";
import { bytes, WINDOWS } from "../../src/kernels/infer/integer-cases.ts";
import {
  INTEGER_WORK_BYTES,
  outputWords,
  Q8_FORMS,
  type Q8Form,
  q8PackedBytes,
  windowWords,
} from "../../src/kernels/infer/integer-layout.ts";
import type { InferKernels } from "../../src/kernels/infer/kernels.ts";
import { BLOCK_ROWS, blocksOf, SPARSE, type SparseForm, sparseForm, sparseLayout } from "../../src/kernels/infer/sparse.ts";
import { DENSITIES, withBlocks } from "../../src/kernels/infer/sparse-cases.ts";
import { Kernels } from "../../src/kernels/kernels.ts";
import { random } from "../../src/kernels/row.ts";
import { DataType, encodeModel, node, value } from "../kit/onnx.ts";
import { runNode } from "../kit/ort.ts";
import { compiled, relaxed } from "./harness.ts";

const modules = await compiled("infer");

const place = ({ arena }: Kernels<InferKernels>, data: Uint8Array | Int32Array | Float32Array): number => {
  const address = arena.alloc(data.byteLength);
  arena.u8(address, data.byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return address;
};

/** Weights of every value that a form takes, as int8. */
const weights = (n: number, form: Q8Form, next: () => number): Uint8Array =>
  bytes(n, next).map((v) => (form === Q8_FORMS.narrow ? (v & 127) - 64 : v));

const OUTPUT = outputWords({ kind: "byte", zero: -3, low: -128, high: 127 });

/** The bytes that `run` leaves at the top of the arena. */
function product(kernels: Kernels<InferKernels>, form: number, run: (kernels: Kernels<InferKernels>, form: number) => number): Uint8Array {
  const mark = kernels.arena.mark();
  const bytesOut = run(kernels, form);
  const y = kernels.arena.u8(kernels.arena.mark() - Math.ceil(bytesOut / 16) * 16, bytesOut).slice();
  kernels.arena.reset(mark);
  return y;
}

/** Weights [n, c, taps] packed in a form, which may be sparse. */
function packed({ arena, fn }: Kernels<InferKernels>, form: number, n: number, c: number, taps: number, w: number): number {
  const shape = [n, c, taps, w, c * taps, taps, 1, 1, 0, form] as const;
  const isSparse = form >= SPARSE;
  const b = arena.alloc(
    isSparse ? sparseLayout(n, blocksOf(n, c, taps), form as SparseForm).end : q8PackedBytes(n, c * taps, form as Q8Form),
  );
  if (isSparse) fn.sparse_pack(...shape, b);
  else fn.q8_pack(...shape, b);
  return b;
}

const plain = Kernels.instantiate<InferKernels>({ simd: modules.simd });
const forms = [
  ["wide", "simd"],
  ["bytes", "simd"],
  ["bytes", "relaxed"],
  ["narrow", "relaxed"],
] as const;

describe.each(forms.filter(([, variant]) => variant === "simd" || relaxed))("weights packed as %s in the %s build", (name, variant) => {
  const kernels = variant === "simd" ? plain : Kernels.instantiate<InferKernels>({ relaxed: modules.relaxed });
  const values = Q8_FORMS[name];

  test.each([0, 1])("multiply as wide ones do, a signed: %i", (signed) => {
    for (const [m, n, k] of [
      [1, 1, 1],
      [1, 40, 37],
      [3, 9, 16],
      [4, 8, 3],
      [70, 17, 19],
      [5, 520, 1050],
      [1, 12, 2100],
      [66, 24, 2052],
    ] as const) {
      const run = (density: number) => (kernels: Kernels<InferKernels>, form: number) => {
        const next = random(m + n + k);
        const a = place(kernels, bytes(m * k, next));
        const w = place(kernels, withBlocks(weights(n * k, values, next), n, k, 1, density));
        const bias = place(
          kernels,
          Int32Array.from({ length: n }, () => (next() - 0.5) * 9000),
        );
        const b = packed(kernels, form, n, k, 1, w);
        const [output, work] = [place(kernels, outputWords({ kind: "sum" })), kernels.arena.alloc(INTEGER_WORK_BYTES)];
        const y = kernels.arena.alloc(m * n * 4);
        kernels.fn.q8_gemm(m, n, k, a, k, signed, 77, b, form, y, n, bias, 0, 0, output, work);
        return m * n * 4;
      };
      for (const density of DENSITIES) {
        const want = product(plain, Q8_FORMS.wide, run(density));
        for (const form of [values, sparseForm(values)])
          expect(product(kernels, form, run(density)), `${m}x${n}x${k} ${form}`).toEqual(want);
      }
    }
  });

  test.each([0, 1])("convolve as wide ones do, x signed: %i", (signed) => {
    for (const v of WINDOWS) {
      const n = 11;
      const taps = v.kh * v.kw;
      const k = taps * v.c;
      const run = (density: number) => (kernels: Kernels<InferKernels>, form: number) => {
        const next = random(v.c);
        const x = place(kernels, bytes(v.h * v.w * v.ldx, next));
        const w = place(kernels, withBlocks(weights(n * k, values, next), n, v.c, taps, density));
        const scale = place(
          kernels,
          Float32Array.from({ length: n }, () => next() / (1000 * Math.sqrt(k))),
        );
        const b = packed(kernels, form, n, v.c, taps, w);
        const [window, output] = [place(kernels, windowWords(v)), place(kernels, OUTPUT)];
        const work = kernels.arena.alloc(INTEGER_WORK_BYTES);
        const y = kernels.arena.alloc(v.oh * v.ow * n);
        kernels.fn.q8_conv(x, window, signed, -9, b, form, n, y, n, 0, scale, 0, output, work);
        return v.oh * v.ow * n;
      };
      const isWhole = taps === 1 || v.c % BLOCK_ROWS === 0;
      for (const density of DENSITIES) {
        const want = product(plain, Q8_FORMS.wide, run(density));
        for (const form of isWhole ? [values, sparseForm(values)] : [values])
          expect(product(kernels, form, run(density)), `${JSON.stringify(v)} ${form}`).toEqual(want);
      }
    }
  });
});

test("narrow weights are refused by the build that has no use for them", () => {
  expect(() => plain.fn.q8_pack(1, 1, 1, 16, 1, 1, 1, 1, 0, Q8_FORMS.narrow, 16)).toThrow(WebAssembly.RuntimeError);
});

test("a dynamic range is that of onnxruntime", async () => {
  const kernels = plain;
  const outputs = [value("y", DataType.UINT8, ["n"]), value("scale", DataType.FLOAT, []), value("zero", DataType.UINT8, [])];
  const graph = {
    nodes: [node("DynamicQuantizeLinear", ["x"], ["y", "scale", "zero"])],
    inputs: [value("x", DataType.FLOAT, ["n"])],
    outputs,
  };
  const model = encodeModel({ graph, opsets: { "": 13 } });
  for (let i = 0; i < 200; i++) {
    const next = random(i);
    const n = 1 + Math.floor(next() * 40);
    const [shift, stretch] = [next() * 1.4 - 0.2, 10 ** (next() * 8 - 4)];
    const data = Float32Array.from({ length: n }, () => (i === 0 ? 0 : (next() - shift) * stretch));
    const want = await runNode(model, { x: { type: "float32", data, dims: [n] } });
    const mark = kernels.arena.mark();
    const [x, y, scale, zero] = [place(kernels, data), kernels.arena.alloc(n), kernels.arena.alloc(4), kernels.arena.alloc(1)];
    kernels.fn.f32_dynamic_quantize(n, x, y, scale, zero);
    expect([kernels.arena.f32(scale, 1)[0], kernels.arena.u8(zero, 1)[0]]).toEqual([want.scale!.data[0], want.zero!.data[0]]);
    expect(kernels.arena.u8(y, n)).toEqual(want.y!.data);
    kernels.arena.reset(mark);
  }
});
