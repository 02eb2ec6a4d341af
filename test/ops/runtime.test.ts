import { describe, expect, test } from "vitest";
import { definedNames } from "../../src/graph/graph.ts";
import { isStatic, type Value } from "../../src/ops/value.ts";
import { exposed } from "../kit/exposed.ts";
import { type InferredModel, inferModel } from "../kit/inferred.ts";
import { everyModel, type Feeds, type GeneratedModel } from "../kit/models.ts";
import { type Output, type Outputs, runNode } from "../kit/ort.ts";
import { readRealModel, realModels } from "../kit/realmodels.ts";

/** Every value of the main graph that a node makes, as onnxruntime computes it from the nodes as they stand. */
async function runAll(model: Uint8Array, feeds: Feeds, { document }: InferredModel): Promise<Outputs> {
  const { main } = document;
  const given = new Set([...main.inputs, ...main.initializers, ...main.outputs]);
  const names = [...definedNames(main)].filter((name) => !given.has(name));
  return runNode(exposed(model, names), feeds, { graphOptimizationLevel: "disabled" });
}

/** What was inferred and is not so. Sizes of one name must be equal. */
function wrong({ values }: InferredModel, outputs: Outputs): string[] {
  const sizes = new Map<string, number>();
  return Object.entries(outputs).flatMap(([name, real]) => {
    const what = disagreement(values.get(name) ?? {}, real, sizes);
    return what ? [`${name} ${what}`] : [];
  });
}

function disagreement({ dtype, shape, constant }: Value, real: Output, sizes: Map<string, number>): string | undefined {
  if (constant && constant.data.join() !== real.data.join()) return `is folded to [${constant.data}] and is [${real.data}]`;
  if (dtype !== undefined && dtype !== real.type) return `is inferred ${dtype} and is ${real.type}`;
  if (!shape) return undefined;
  const fits = (d: number | string, i: number): boolean => {
    const size = real.dims[i] as number;
    if (typeof d === "number") return d === size;
    const first = sizes.get(d) ?? size;
    sizes.set(d, first);
    return first === size;
  };
  return shape.length === real.dims.length && shape.every(fits) ? undefined : `is inferred [${shape}] and is [${real.dims}]`;
}

/** The feeds by shape, and integers by their elements too, as they steer what is computed. */
const fixed = (feeds: Feeds): ReadonlyMap<string, Value> =>
  new Map(
    Object.entries(feeds).map(([name, { type: dtype, dims: shape, data }]) => [
      name,
      { dtype, shape, ...(dtype === "int64" || dtype === "bool" ? { constant: { dtype, shape, data } } : {}) },
    ]),
  );

const models = everyModel().map((model): [string, GeneratedModel] => [`${model.name} at opset ${model.opset}`, model]);
const reals = Object.values(realModels).map((model) => [model.name, model] as const);

describe("what inference says of each value holds when onnxruntime runs", () => {
  test.each(models)("%s", async (_name, { bytes, inputs }) => {
    const declared = await inferModel(bytes);
    const outputs = await runAll(bytes, inputs, declared);
    expect(wrong(declared, outputs)).toEqual([]);
    expect(Object.keys(outputs).filter((name) => !declared.values.get(name)?.dtype)).toEqual([]);
  });

  test.each(reals)("%s", async (_name, model) => {
    const bytes = await readRealModel(model);
    const declared = await inferModel(bytes);
    const outputs = await runAll(bytes, model.inputs, declared);
    expect(wrong(declared, outputs)).toEqual([]);
    expect(Object.keys(outputs).filter((name) => !declared.values.get(name)?.dtype)).toEqual([]);
  });

  test.each(reals)("%s, of inputs of fixed sizes every shape", async (_name, model) => {
    const bytes = await readRealModel(model);
    const inferred = await inferModel(bytes, fixed(model.inputs));
    const outputs = await runAll(bytes, model.inputs, inferred);
    expect(wrong(inferred, outputs)).toEqual([]);
    expect(Object.keys(outputs).filter((name) => !isStatic(inferred.values.get(name)?.shape))).toEqual([]);
  });
});
