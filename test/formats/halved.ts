/** Lets small models compute in float16, and judges what came out: by what onnxruntime computes, and by what it would hide. */
import { expect } from "vitest";
import { compress, type RecipeInput } from "../../src/index.ts";
import type { Feeds } from "../kit/models.ts";
import { encodeModel, type ModelSpec } from "../kit/onnx.ts";
import { EXACT, type Outputs, runNode } from "../kit/ort.ts";
import { type DecodedModel, type DecodedNode, type DecodedTensor, numbersOf, readOnnx } from "../kit/readonnx.ts";

const FLOAT16 = 10;

export interface Halved {
  model: DecodedModel;
  bytes: Uint8Array;
  outputs: Outputs;
  /** The node that makes a value, under its own name or that of its half. */
  maker(name: string): DecodedNode;
  /** Whether a value is made in float16, or stays in float32. */
  isHalf(name: string): boolean;
}

export const RECIPES: readonly [word: string, recipe: RecipeInput][] = [
  ["q4f16", { quantize: "q4f16" }],
  ["optimize, fp16", { optimize: true, quantize: "fp16" }],
];

/** Within `within` of the largest element of each output; NaN where the source has it and nowhere else. */
export function expectNear(actual: Outputs, expected: Outputs, within: number): void {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [name, { data, dims, type }] of Object.entries(expected)) {
    const got = actual[name] as Outputs[string];
    expect([got.type, got.dims], name).toEqual([type, dims]);
    if (!(data instanceof Float32Array)) {
      expect(got.data, name).toEqual(data);
      continue;
    }
    const largest = data.reduce((a, x) => (Number.isFinite(x) ? Math.max(a, Math.abs(x)) : a), 1e-30);
    const far = data.findIndex((x, i) => !(Math.abs(x - Number(got.data[i])) <= within * largest) && !Object.is(x, got.data[i]));
    expect(far, `${name}[${far}] is ${got.data[far]} instead of ${data[far]}`).toBe(-1);
  }
}

/** The constant that a Cast, say, reads: an initializer, a Constant's, or what a ConstantOfShape fills with. */
function constantOf({ inputs, initializers, nodes }: DecodedModel, name: string): DecodedTensor | undefined {
  if (inputs.some((input) => input.name === name)) return undefined; // a default
  const maker = nodes.find(({ outputs }) => outputs.includes(name));
  const value = maker && /^Constant(OfShape)?$/.test(maker.op_type) ? maker.attributes.get("value") : undefined;
  return initializers.get(name) ?? (typeof value === "object" && "data_type" in value ? value : undefined);
}

/**
 * No constant is lost on its way to float16. onnxruntime's CPU has no kernels for most halves: it takes a Cast to float16 and back for none
 * at all, and so hides what other providers compute.
 */
function expectNothingLost(model: DecodedModel): void {
  const isLost = (x: number) => Number.isFinite(x) && x !== 0 && (Math.abs(x) > 65504 || Math.abs(x) < 2 ** -25);
  for (const { op_type, inputs, attributes } of model.nodes) {
    if (op_type !== "Cast" || attributes.get("to") !== FLOAT16) continue;
    const constant = constantOf(model, inputs[0] as string);
    if (constant?.data_type === 1) expect(numbersOf(constant).some(isLost), `${inputs[0]} is lost`).toBe(false);
  }
  for (const [name, tensor] of model.initializers) {
    if (tensor.data_type === FLOAT16) expect(numbersOf(tensor).every(Number.isFinite), `${name} is finite`).toBe(true);
  }
}

/** Every name is defined once, before it is read. */
function expectOrdered({ inputs, initializers, nodes }: DecodedModel): void {
  const defined = new Set([...inputs.map(({ name }) => name), ...initializers.keys()]);
  for (const node of nodes) {
    for (const name of node.inputs) expect(name === "" || defined.has(name), `${node.op_type} reads ${name}`).toBe(true);
    for (const name of node.outputs) {
      expect(name !== "" && defined.has(name) && !inputs.some((input) => input.name === name), `${name} is defined again`).toBe(false);
      defined.add(name);
    }
  }
}

/** Compresses, runs, and compares with the source. */
export async function halved(spec: ModelSpec, recipe: RecipeInput, feeds: Feeds, within = 5e-3): Promise<Halved> {
  const source = encodeModel(spec);
  const bytes = new Uint8Array(await new Response(compress(source, recipe).readable).arrayBuffer());
  const model = readOnnx(bytes);
  expectNothingLost(model);
  expectOrdered(model);
  const ends = ({ inputs, outputs }: DecodedModel) => [...inputs, ...outputs].map(({ name, data_type }) => [name, data_type]);
  expect(ends(model)).toEqual(ends(readOnnx(source)));
  const plain = { ...EXACT, graphOptimizationLevel: "disabled" } as const;
  const outputs = await runNode(bytes, feeds, plain);
  expectNear(outputs, await runNode(source, feeds, plain), within);
  const maker = (name: string): DecodedNode => {
    const names = [`${name}_float16`, name];
    const found = names.flatMap((each) => model.nodes.filter(({ op_type, outputs: made }) => made.includes(each) && op_type !== "Cast"));
    return found[0] as DecodedNode;
  };
  const isHalf = (name: string): boolean => maker(name)?.outputs.some((each) => each.startsWith(`${name}_float16`)) === true;
  return { model, bytes, outputs, maker, isHalf };
}
