import { describe, expect, test } from "vitest";
import { compress, type RecipeInput, UnsupportedError } from "../../src/index.ts";
import { conv, mlp } from "../kit/models.ts";
import { DataType, encodeModel, f32, node, randint, randn, tensor, value } from "../kit/onnx.ts";

async function warnings(model: Uint8Array, recipe: RecipeInput) {
  const { readable, report } = compress(model, recipe);
  report.catch(() => {});
  await readable.pipeTo(new WritableStream());
  return (await report).warnings;
}
const codes = async (model: Uint8Array, recipe: RecipeInput) => (await warnings(model, recipe)).map(({ code }) => code);

describe("target.runtime", () => {
  test.each([
    ["onnxruntime-web", "w8", mlp().bytes, true],
    ["onnxruntime-web", "q4", mlp().bytes, true],
    ["onnxruntime-web", "q8", mlp().bytes, false],
    ["onnxruntime-web", "q8", conv().bytes, true],
    ["webgpu", "q8", mlp().bytes, true],
    ["webgpu", "q4", mlp().bytes, false],
    ["onnxruntime-node", "q4", mlp().bytes, false],
  ] as const)("%s with %s", async (runtime, scheme, model, warns) => {
    expect((await codes(model, { quantize: scheme, target: { runtime } })).includes("slow-operator")).toBe(warns);
  });

  test("names the nodes that are slow", async () => {
    const [slow] = await warnings(mlp().bytes, { quantize: "q4", target: { runtime: "onnxruntime-web" } });
    expect(slow?.nodes?.length).toBe(mlp().spec.graph.nodes.filter(({ op_type }) => op_type === "MatMul").length);
  });

  test("that is not known is refused, with those that are", async () => {
    await expect(codes(mlp().bytes, { quantize: "w8", target: { runtime: "abacus" } })).rejects.toThrow(/abacus.*onnxruntime-web/);
  });

  test("is all of a target that this version aims at", async () => {
    await expect(codes(mlp().bytes, { quantize: "w8", target: { max_bytes: 1000 } })).rejects.toThrow(UnsupportedError);
  });
});

describe("DequantizeLinear of int32", () => {
  const model = (zero_point: boolean) =>
    encodeModel({
      opsets: { "": 13 },
      graph: {
        name: "g",
        nodes: [
          node("MatMul", ["x", "w"], ["h"]),
          node("DequantizeLinear", zero_point ? ["b", "s", "z"] : ["b", "s"], ["bias"], {}, { name: "bias of int32" }),
          node("Add", ["h", "bias"], ["y"]),
        ],
        initializers: [
          f32("w", [64, 64], randn(4096, 1)),
          tensor("b", DataType.INT32, [64], Int32Array.from(randint(64, -9, 9, 1), Number)),
          f32("s", [], Float32Array.of(0.1)),
          tensor("z", DataType.INT32, [], Int32Array.of(0)),
        ],
        inputs: [value("x", 1, [1, 64])],
        outputs: [value("y", 1, [1, 64])],
      },
    });

  test("with a zero point is warned of, since WebGPU refuses it", async () => {
    expect(await warnings(model(true), { quantize: "w8" })).toContainEqual(
      expect.objectContaining({ code: "int32-zero-point", nodes: ["bias of int32"] }),
    );
    expect(await codes(model(false), { quantize: "w8" })).not.toContain("int32-zero-point");
  });
});
