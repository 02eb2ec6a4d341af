/** Judges a pruned model by its file and the one it was made of: what both compute, which shapes changed. Shares nothing with the product. */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type GraphProto, ModelProtoSchema, type TensorProto } from "onnx-buf";
import { type Feeds, product } from "../kit/models/model.ts";
import { DataType } from "../kit/onnx.ts";
import { type Outputs, openNode } from "../kit/ort.ts";
import { everyWeight, readOnnx } from "../kit/readonnx.ts";

/** The outputs for each of the feeds, by onnxruntime. */
export async function outputsOf(model: Uint8Array, feeds: readonly Feeds[]): Promise<Outputs[]> {
  await using runner = await openNode(model);
  const outputs: Outputs[] = [];
  for (const each of feeds) outputs.push(await runner.run(each));
  return outputs;
}

/** What both models give for each of the feeds. */
export async function runBoth(
  original: Uint8Array,
  pruned: Uint8Array,
  feeds: readonly Feeds[],
): Promise<{ original: Outputs; pruned: Outputs }[]> {
  const [before, after] = [await outputsOf(original, feeds), await outputsOf(pruned, feeds)];
  return before.map((outputs, i) => ({ original: outputs, pruned: after[i] as Outputs }));
}

export interface ChangedShape {
  /** Of an initializer, or of what a Constant gives. */
  name: string;
  /** Undefined where only the pruned model has it. */
  from: readonly number[] | undefined;
  /** Undefined where only the original has it. */
  to: readonly number[] | undefined;
}

/** Shapes by name and by how many graphs have used the name before: branches may use one each. */
function shapesOf(model: Uint8Array): Map<string, { name: string; dims: readonly number[] }> {
  const counts = new Map<string, number>();
  const shapes = everyWeight(readOnnx(model)).map(({ name, dims }) => {
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    return [`${count} ${name}`, { name, dims }] as const;
  });
  return new Map(shapes);
}

/** Every initializer and Constant tensor of all graphs whose shape is not what it was, in the order of the original. */
export function changedShapes(original: Uint8Array, pruned: Uint8Array): ChangedShape[] {
  const [before, after] = [shapesOf(original), shapesOf(pruned)];
  const changes = [...new Set([...before.keys(), ...after.keys()])].map((key) => {
    const [from, to] = [before.get(key), after.get(key)];
    return { name: (from ?? to)?.name as string, from: from?.dims, to: to?.dims };
  });
  return changes.filter(({ from, to }) => from?.join() !== to?.join() || !from || !to);
}

const FLOATS: readonly number[] = [DataType.FLOAT, DataType.DOUBLE, DataType.FLOAT16, DataType.BFLOAT16];

/** Elements of all initializers and Constant tensors of floats, those of graphs inside too. */
export function floatParameters(model: Uint8Array): number {
  const weights = everyWeight(readOnnx(model)).filter(({ data_type }) => FLOATS.includes(data_type));
  return weights.reduce((sum, { dims }) => sum + product(dims), 0);
}

export interface Slices {
  /** Of an initializer or of what a Constant gives, in whichever graph; of each where several have it. */
  name: string;
  axis: number;
  indices: readonly number[];
}

function* namedTensors(graph: GraphProto): Generator<[name: string, tensor: TensorProto]> {
  for (const tensor of graph.initializer) yield [tensor.name, tensor];
  for (const { opType, output, attribute } of graph.node) {
    for (const { t, g } of attribute) {
      if (t && opType === "Constant") yield [output[0] as string, t];
      if (g) yield* namedTensors(g);
    }
  }
}

/** Sets to zero the elements that stand at the indices of the axis, in the field that the tensor has its data in. */
function zero(tensor: TensorProto, { name, axis, indices }: Slices): void {
  const dims = tensor.dims.map(Number);
  const outside = indices.find((index) => !(index >= 0 && index < (dims[axis] ?? 0)));
  if (outside !== undefined) throw new RangeError(`Cannot zero ${name}: ${outside} is not on axis ${axis} of [${dims}]`);
  const [chosen, inner, count] = [new Set(indices), product(dims.slice(axis + 1)), product(dims)];
  const width = tensor.rawData.length / count;
  const fields = [tensor.floatData, tensor.doubleData, tensor.int32Data];
  if (width === 0 ? !fields.some((field) => field.length === count) : !Number.isInteger(width))
    throw new TypeError(`Cannot zero ${name}: its elements are not in the model, or less than a byte`);
  // What is decoded is a view of the bytes that were given.
  tensor.rawData = tensor.rawData.slice();
  for (let i = 0; i < count; i++) {
    if (!chosen.has(Math.floor(i / inner) % (dims[axis] as number))) continue;
    tensor.rawData.fill(0, i * width, (i + 1) * width);
    for (const field of fields) if (field.length > 0) field[i] = 0;
  }
}

/** The same model with slices of its weights zero: channels that may go if nothing is to change. */
export function withZeros(model: Uint8Array, slices: readonly Slices[]): Uint8Array {
  const proto = fromBinary(ModelProtoSchema, model);
  const tensors = proto.graph ? [...namedTensors(proto.graph)] : [];
  for (const each of slices) {
    const found = tensors.filter(([name]) => name === each.name);
    if (found.length === 0) throw new RangeError(`Cannot zero ${each.name}: the model has no such initializer or Constant`);
    for (const [, tensor] of found) zero(tensor, each);
  }
  return toBinary(ModelProtoSchema, proto);
}
