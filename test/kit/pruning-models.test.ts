import { describe, expect, test } from "vitest";
import { PRUNING_MODELS } from "./models/pruning.ts";
import { type Output, type Outputs, openNode, sqnr } from "./ort.ts";
import { countOperators, readOnnx } from "./readonnx.ts";

const every = PRUNING_MODELS.flatMap(({ name, generate, opsets }) => opsets.map((opset) => ({ name, opset, generate })));

const spread = ({ data }: Output): number => {
  const values = Array.from(data, Number);
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  return Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
};

const fits = (dims: readonly number[], declared: readonly (number | string)[]): boolean =>
  dims.length === declared.length && declared.every((dim, i) => typeof dim === "string" || dim === dims[i]);

describe("models for pruning", () => {
  test.each(every)("$name at opset $opset gives finite outputs that differ within and between feeds", async ({ generate, opset }) => {
    const { bytes, inputs, more, spec } = generate({ opset });
    await using runner = await openNode(bytes);
    const runs: Outputs[] = [];
    for (const feeds of [inputs, ...more]) runs.push(await runner.run(feeds));
    for (const { name, dims = [] } of spec.graph.outputs) {
      for (const run of runs) {
        const output = run[name] as Output;
        expect(fits(output.dims, dims), `${name} is [${output.dims}], not [${dims}]`).toBe(true);
        expect(Array.from(output.data, Number).every(Number.isFinite)).toBe(true);
        expect(spread(output), name).toBeGreaterThan(1e-3);
      }
    }
    const [first, second] = runs.map((run) => Array.from(Object.values(run)[0]?.data ?? [], Number)) as [number[], number[]?];
    if (second) expect(sqnr(first.slice(0, second.length), second.slice(0, first.length))).toBeLessThan(40);
  });

  test("have names of their own", () => {
    const names = PRUNING_MODELS.map(({ name }) => name);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  test.each([
    ["vgg", 13, ["Flatten", "Gemm"], ["Reshape"]],
    ["vgg-view", 13, ["Reshape"], ["Flatten", "Shape"]],
    ["vgg-size", 13, ["Reshape", "Shape"], ["Flatten"]],
    ["inception", 13, ["AveragePool", "Pad", "Concat"], []],
    ["shufflenet-v2", 13, ["Split", "Concat", "Reshape", "Transpose"], ["Shape", "Slice"]],
    ["shufflenet-v2-sizes", 13, ["Slice", "Shape", "Gather", "Div"], ["Split"]],
    ["unet-transposed", 13, ["ConvTranspose"], ["Resize"]],
    ["unet-resized", 13, ["Resize"], ["ConvTranspose"]],
    ["mobilenet-v3-named", 17, ["HardSwish", "HardSigmoid", "GlobalAveragePool"], ["ReduceMean"]],
    ["vit-separate", 11, ["ReduceMean", "Pow", "Erf", "Expand"], ["LayerNormalization", "Shape"]],
    ["vit-fused", 17, ["LayerNormalization", "Split", "Squeeze"], ["Shape", "Pow"]],
    ["vit-fused-sizes", 17, ["Gather", "Shape", "Div"], ["Split", "Squeeze"]],
    ["group-norm", 13, ["InstanceNormalization", "Reshape"], ["GroupNormalization"]],
    ["group-norm-named", 21, ["GroupNormalization"], ["InstanceNormalization"]],
    ["if-reads", 13, ["If", "Neg"], []],
  ] as const)("%s at opset %i is written with %j and without %j", (name, opset, present, absent) => {
    const model = PRUNING_MODELS.find((entry) => entry.name === name)?.generate({ opset });
    const operators = Object.keys(countOperators(readOnnx(model?.bytes ?? new Uint8Array(0))));
    expect(operators).toEqual(expect.arrayContaining([...present]));
    for (const operator of absent) expect(operators).not.toContain(operator);
  });
});
