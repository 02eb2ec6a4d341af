import { describe, expect, test } from "vitest";
import { compress, type RecipeInput } from "../../src/index.ts";
import { randn } from "../kit/onnx.ts";
import { bfloat16, float16, int4Block, int8PerChannel, int8PerTensor, sqnr, toBfloat16Bits } from "../kit/reference.ts";
import { randomTensor as f32, floatsOf as floats, readTensors as read, type Tensor, writeTensors as write } from "../kit/safetensors.ts";
import { bytesOf as raw } from "../kit/wire.ts";

async function run(source: Uint8Array, recipe: RecipeInput) {
  const [fromSource, fromStream] = [compress(source, recipe), compress(new Blob([source as Uint8Array<ArrayBuffer>]).stream(), recipe)];
  const bytes = new Uint8Array(await new Response(fromSource.readable as never).arrayBuffer());
  const streamed = new Uint8Array(await new Response(fromStream.readable as never).arrayBuffer());
  expect(Buffer.compare(bytes, streamed), "a stream gives what a source gives").toBe(0);
  return { ...read(bytes), report: await fromSource.report };
}

const weight = f32([48, 96], 1);
const conv = f32([40, 12, 3, 3], 2);
const norm = f32([2048], 3);
const table = f32([100, 32], 4);
const model = write(
  {
    "layer.weight": weight,
    "conv.weight": conv,
    "layer.bias": f32([48], 5),
    "norm.weight": norm,
    "embed_tokens.weight": table,
    "ragged.weight": f32([50, 33], 6),
  },
  { format: "pt" },
);

describe("safetensors", () => {
  test("w8 is compressed-tensors' int-quantized: weight and weight_scale", async () => {
    const { tensors, metadata, report } = await run(model, { quantize: "w8" });
    const [q, scale] = [tensors["layer.weight"], tensors["layer.weight_scale"]] as [Tensor, Tensor];
    expect([q.dtype, q.shape, scale.dtype, scale.shape]).toEqual(["I8", [48, 96], "F32", [48, 1]]);
    const reference = int8PerChannel(weight.values, [48, 96], 0);
    expect(Array.from(floats(scale))).toEqual(Array.from(reference.scales));
    const values = new Int8Array(q.data.buffer);
    const restored = Float32Array.from(weight.values, (_, i) => (values[i] as number) * (reference.scales[Math.floor(i / 96)] as number));
    expect(sqnr(weight.values, restored)).toBeGreaterThan(reference.sqnr_db - 0.01);
    expect(tensors["conv.weight_scale"]?.shape).toEqual([40, 1, 1, 1]);
    expect(metadata).toMatchObject({ format: "pt", "edgeslim.version": report.edgeslim });
    expect(report.output.layout).toBe("canonical");
  });

  test("w4 is pack-quantized: weight_packed, weight_scale, weight_shape; what cannot be packed is w8", async () => {
    const { tensors, report } = await run(model, { quantize: "w4" });
    const [packed, scale, shape] = ["packed", "scale", "shape"].map((part) => tensors[`layer.weight_${part}`]) as [Tensor, Tensor, Tensor];
    expect([packed.dtype, packed.shape, scale.shape, shape.dtype]).toEqual(["I32", [48, 12], [48, 3], "I64"]);
    expect(Array.from(new BigInt64Array(shape.data.buffer))).toEqual([48n, 96n]);
    const { codes, sqnr_db } = int4Block(weight.values, [48, 96], "nk");
    // Value i of a row stands in the (i mod 8)-th group of four bits of int32 number i/8, offset by 8.
    const words = new Int32Array(packed.data.buffer);
    const unpacked = Array.from({ length: 48 * 96 }, (_, i) => (((words[i >> 3] as number) >>> ((i & 7) * 4)) & 15) - 8);
    expect(unpacked).toEqual(Array.from(codes));
    const restored = Float32Array.from(unpacked, (q, i) => q * (floats(scale)[Math.floor(i / 32)] as number));
    expect(sqnr(weight.values, restored)).toBeGreaterThan(sqnr_db - 0.01);
    expect(report.tensors.find((t) => t.name === "ragged.weight")?.action).toBe("w8");
    expect(report.warnings.find(({ code }) => code === "w4-as-w8")?.tensors).toEqual(["conv.weight", "ragged.weight"]);
  });

  test.each([
    ["fp16", "F16", float16],
    ["bf16", "BF16", bfloat16],
  ] as const)("%s rounds each weight correctly, embeddings too", async (scheme, dtype, round) => {
    const { tensors } = await run(model, { quantize: scheme });
    for (const [name, { values }] of Object.entries({ "layer.weight": weight, "conv.weight": conv, "embed_tokens.weight": table })) {
      const half = tensors[name] as Tensor;
      expect(half.dtype).toBe(dtype);
      const bits = new Uint16Array(half.data.buffer);
      const expected = round(values).dequantized;
      const widened =
        scheme === "fp16"
          ? Float32Array.from(new Float16Array(bits.buffer))
          : new Float32Array(Uint32Array.from(bits, (b) => b << 16).buffer);
      expect(Array.from(widened)).toEqual(Array.from(expected));
    }
  });

  test("what a recipe does not touch comes out byte for byte, with the reason", async () => {
    const { tensors, report } = await run(model, { quantize: "w8" });
    expect(Buffer.compare((tensors["norm.weight"] as Tensor).data, norm.data)).toBe(0);
    const reason = (name: string) => report.tensors.find((t) => t.name === name)?.reason;
    expect(reason("norm.weight")).toContain("one-dimensional");
    expect(reason("layer.bias")).toBe("fewer than 1024 elements");
    expect(reason("embed_tokens.weight")).toContain("embedding");
  });

  test("every dtype of the format passes through", async () => {
    const bits = {
      BOOL: 8,
      F4: 4,
      F6_E2M3: 6,
      F6_E3M2: 6,
      U8: 8,
      I8: 8,
      F8_E5M2: 8,
      F8_E4M3: 8,
      F8_E8M0: 8,
      I16: 16,
      U16: 16,
      I32: 32,
      U32: 32,
      C64: 64,
      I64: 64,
      U64: 64,
    };
    const others = Object.entries(bits).map(([dtype, size], i): [string, Tensor] => [
      `a.${dtype}`,
      { dtype, shape: [8, 16], data: raw(randn((8 * 16 * size) / 32, i)) },
    ]);
    const { tensors } = await run(write({ ...Object.fromEntries(others), w: weight }), { quantize: "w8" });
    for (const [name, { dtype, shape, data }] of others) {
      expect(tensors[name]).toMatchObject({ dtype, shape });
      expect(Buffer.compare((tensors[name] as Tensor).data, data), name).toBe(0);
    }
  });

  test("reads half, bfloat16 and double sources", async () => {
    const brain = Uint16Array.from(weight.values, toBfloat16Bits);
    const source = write({
      "h.weight": { dtype: "F16", shape: [48, 96], data: raw(new Float16Array(weight.values)) },
      "b.weight": { dtype: "BF16", shape: [48, 96], data: raw(brain) },
      "d.weight": { dtype: "F64", shape: [48, 96], data: raw(Float64Array.from(weight.values)) },
    });
    const { tensors, report } = await run(source, { quantize: "w8" });
    const exact = await run(write({ "d.weight": weight }), { quantize: "w8" });
    expect(Buffer.compare((tensors["d.weight"] as Tensor).data, (exact.tensors["d.weight"] as Tensor).data)).toBe(0);
    expect(report.tensors.map(({ action }) => action)).toEqual(["w8", "w8", "w8"]);
    const { report: half } = await run(source, { quantize: "fp16" });
    expect(half.tensors.map(({ action }) => action)).toEqual(["kept", "kept", "fp16"]);
  });

  test("one scale for a tensor has the shape [1]", async () => {
    const { tensors } = await run(write({ "layer.weight": weight }), { quantize: { scheme: "w8", granularity: "per_tensor" } });
    expect(tensors["layer.weight_scale"]?.shape).toEqual([1]);
    expect(floats(tensors["layer.weight_scale"] as Tensor)[0]).toBe(int8PerTensor(weight.values).scales[0]);
  });

  test("a weight whose scale's name is taken is kept, and said so", async () => {
    const { report } = await run(write({ "a.weight": weight, "a.weight_scale": f32([48, 1], 1), "b.weight": weight }), { quantize: "w8" });
    expect(report.tensors[0]).toMatchObject({ action: "kept", reason: expect.stringContaining("a.weight_scale") });
  });

  test("keys may stand in any order and the header may be padded", async () => {
    const plain = write({ "a.weight": weight, "b.weight": f32([64, 64], 8) });
    const length = Number(new DataView(plain.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(plain.subarray(8, 8 + length)));
    const reordered = new TextEncoder().encode(JSON.stringify(Object.fromEntries(Object.entries(header).reverse())) + " ".repeat(21));
    const head = new Uint8Array(8);
    new DataView(head.buffer).setBigUint64(0, BigInt(reordered.byteLength), true);
    const other = new Uint8Array(Buffer.concat([head, reordered, plain.subarray(8 + length)]));
    expect((await run(other, { quantize: "w8" })).tensors).toEqual((await run(plain, { quantize: "w8" })).tensors);
  });
});
