/** Integer kernels beyond their rows: weights packed in any form give the same sums, and onnxruntime agrees where it decides. */
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
function product(kernels: Kernels<InferKernels>, form: Q8Form, run: (kernels: Kernels<InferKernels>, form: Q8Form) => number): Uint8Array {
  const mark = kernels.arena.mark();
  const bytesOut = run(kernels, form);
  const y = kernels.arena.u8(kernels.arena.mark() - Math.ceil(bytesOut / 16) * 16, bytesOut).slice();
  kernels.arena.reset(mark);
  return y;
}

const plain = Kernels.instantiate<InferKernels>({ simd: modules.simd });
const forms = [
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
    ] as const) {
      const run = (kernels: Kernels<InferKernels>, form: Q8Form): number => {
        const next = random(m + n + k);
        const a = place(kernels, bytes(m * k, next));
        const w = place(kernels, weights(n * k, values, next));
        const bias = place(
          kernels,
          Int32Array.from({ length: n }, () => (next() - 0.5) * 9000),
        );
        const b = kernels.arena.alloc(q8PackedBytes(n, k, form));
        const [output, work] = [place(kernels, outputWords({ kind: "sum" })), kernels.arena.alloc(INTEGER_WORK_BYTES)];
        const y = kernels.arena.alloc(m * n * 4);
        kernels.fn.q8_pack(n, k, 1, w, 1, n, 0, 1, 0, form, b);
        kernels.fn.q8_gemm(m, n, k, a, k, signed, 77, b, form, y, n, bias, 0, 0, output, work);
        return m * n * 4;
      };
      expect(product(kernels, values, run), `${m}x${n}x${k}`).toEqual(product(plain, Q8_FORMS.wide, run));
    }
  });

  test.each([0, 1])("convolve as wide ones do, x signed: %i", (signed) => {
    for (const v of WINDOWS) {
      const n = 11;
      const run = (kernels: Kernels<InferKernels>, form: Q8Form): number => {
        const next = random(v.c);
        const k = v.kh * v.kw * v.c;
        const x = place(kernels, bytes(v.h * v.w * v.ldx, next));
        const w = place(kernels, weights(n * k, values, next));
        const scale = place(
          kernels,
          Float32Array.from({ length: n }, () => next() / (1000 * Math.sqrt(k))),
        );
        const b = kernels.arena.alloc(q8PackedBytes(n, k, form));
        const [window, output] = [place(kernels, windowWords(v)), place(kernels, OUTPUT)];
        const work = kernels.arena.alloc(INTEGER_WORK_BYTES);
        const y = kernels.arena.alloc(v.oh * v.ow * n);
        kernels.fn.q8_pack(n, v.c, v.kh * v.kw, w, k, v.kh * v.kw, 1, 1, 0, form, b);
        kernels.fn.q8_conv(x, window, signed, -9, b, form, n, y, n, 0, scale, 0, output, work);
        return v.oh * v.ow * n;
      };
      expect(product(kernels, values, run), JSON.stringify(v)).toEqual(product(plain, Q8_FORMS.wide, run));
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
