import { type FindSibling, Siblings } from "../formats/onnx/siblings.ts";
import { abortableSource } from "../io/abort.ts";
import type { Source } from "../io/source.ts";
import type { Dim, Value } from "../ops/value.ts";
import type { DType } from "../tensor.ts";
import { type Prepared, prepare } from "./prepare.ts";

/** An input or output of a model. A dimension that a run binds is its name, or '' without one; a shape that the model does not say is undefined. */
export interface Port {
  name: string;
  dtype: DType | undefined;
  shape: readonly Dim[] | undefined;
  /** Whether a run may leave it out: the model holds a value for it. */
  optional?: true;
}

/** What a model takes and gives. */
export interface ModelPorts {
  inputs: readonly Port[];
  outputs: readonly Port[];
}

export function portsOf({ document, known, defaults, held, outputs }: Prepared): ModelPorts {
  const { main } = document;
  const port = (name: string): Port => {
    const value: Value | undefined = known.value(main, name) ?? held.get(main)?.get(name)?.info;
    return { name, dtype: value?.dtype, shape: value?.shape, ...(defaults.has(name) && { optional: true }) };
  };
  const constants = new Set(main.initializers);
  return {
    inputs: main.inputs.filter((name) => defaults.has(name) || !constants.has(name)).map(port),
    outputs: outputs.map(port),
  };
}

/** Tells what a model takes and gives, without loading it. */
export async function readPorts(source: Source, findSibling?: FindSibling, signal?: AbortSignal): Promise<ModelPorts> {
  return portsOf(await prepare(abortableSource(source, signal), new Siblings(findSibling, signal), { optimize: false }));
}

const shapeText = (shape: readonly Dim[] | undefined): string => shape?.map((d) => (d === "" ? "?" : d)).join() ?? "any shape";

/** A type and shape for people: `float32[batch,3,224,224]`. */
export const typeText = ({ dtype, shape }: Pick<Port, "dtype" | "shape">): string => `${dtype ?? "any type"}[${shapeText(shape)}]`;

/** Ports for people. */
export const portsText = (ports: readonly Port[]): string => ports.map((port) => `${port.name}: ${typeText(port)}`).join(", ") || "nothing";
