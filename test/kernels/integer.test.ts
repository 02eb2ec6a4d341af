/** Integer kernels beyond their rows: weights packed narrow give the sums of weights packed wide, and onnxruntime agrees where it decides. */
import { describe, expect, test } from "vitest";
import { bytes, WINDOWS } from "../../src/kernels/infer/integer-cases.ts";
import { INTEGER_WORK_BYTES, outputWords, q8PackedBytes, windowWords } from "../../src/kernels/infer/integer-layout.ts";
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

/** Seven-bit weights of every value, as int8. */
const weights = (n: number, next: () => number): Uint8Array => bytes(n, next).map((v) => (v & 127) - 64);

const OUTPUT = outputWords({ kind: "byte", zero: -3, low: -128, high: 127 });

/** What a kernel makes of narrow weights, or of the same weights packed wide. */
function product(kernels: Kernels<InferKernels>, narrow: number, run: (kernels: Kernels<InferKernels>, p: number) => number): Uint8Array {
  const mark = kernels.arena.mark();
  const bytesOut = run(kernels, narrow);
  const y = kernels.arena.u8(kernels.arena.mark() - Math.ceil(bytesOut / 16) * 16, bytesOut).slice();
  kernels.arena.reset(mark);
  return y;
}

describe.skipIf(!relaxed)("narrow weights", () => {
  const [plain, fast] = [{ simd: modules.simd }, { relaxed: modules.relaxed }].map((build) => Kernels.instantiate<InferKernels>(build)) as [
    Kernels<InferKernels>,
    Kernels<InferKernels>,
  ];

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
      const run = (kernels: Kernels<InferKernels>, narrow: number): number => {
        const next = random(m + n + k);
        const a = place(kernels, bytes(m * k, next));
        const w = place(kernels, weights(n * k, next));
        const bias = place(
          kernels,
          Int32Array.from({ length: n }, () => (next() - 0.5) * 9000),
        );
        const b = kernels.arena.alloc(q8PackedBytes(n, k, narrow === 1));
        const [output, work] = [place(kernels, outputWords({ kind: "sum" })), kernels.arena.alloc(INTEGER_WORK_BYTES)];
        const y = kernels.arena.alloc(m * n * 4);
        kernels.fn.q8_pack(n, k, 1, w, 1, n, 0, 1, 0, narrow, b);
        kernels.fn.q8_gemm(m, n, k, a, k, signed, 77, b, narrow, y, n, bias, 0, 0, output, work);
        return m * n * 4;
      };
      expect(product(fast, 1, run), `${m}x${n}x${k}`).toEqual(product(plain, 0, run));
    }
  });

  test.each([0, 1])("convolve as wide ones do, x signed: %i", (signed) => {
    for (const v of WINDOWS) {
      const n = 11;
      const run = (kernels: Kernels<InferKernels>, narrow: number): number => {
        const next = random(v.c);
        const k = v.kh * v.kw * v.c;
        const x = place(kernels, bytes(v.h * v.w * v.ldx, next));
        const w = place(kernels, weights(n * k, next));
        const scale = place(
          kernels,
          Float32Array.from({ length: n }, () => next() / (1000 * Math.sqrt(k))),
        );
        const b = kernels.arena.alloc(q8PackedBytes(n, k, narrow === 1));
        const [window, output] = [place(kernels, windowWords(v)), place(kernels, OUTPUT)];
        const work = kernels.arena.alloc(INTEGER_WORK_BYTES);
        const y = kernels.arena.alloc(v.oh * v.ow * n);
        kernels.fn.q8_pack(n, v.c, v.kh * v.kw, w, k, v.kh * v.kw, 1, 1, 0, narrow, b);
        kernels.fn.q8_conv(x, window, signed, -9, b, narrow, n, y, n, 0, scale, 0, output, work);
        return v.oh * v.ow * n;
      };
      expect(product(fast, 1, run), JSON.stringify(v)).toEqual(product(plain, 0, run));
    }
  });

  test("are refused by the build that has no use for them", () => {
    expect(() => plain.fn.q8_pack(1, 1, 1, 16, 1, 1, 1, 1, 0, 1, 16)).toThrow(WebAssembly.RuntimeError);
  });
});

test("a dynamic range is that of onnxruntime", async () => {
  const kernels = Kernels.instantiate<InferKernels>({ simd: modules.simd });
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
