import type { Document } from "../formats/onnx/document.ts";
import { smallTensor } from "../formats/onnx/elements.ts";
import { constantTensor } from "../formats/onnx/graph.ts";
import { knownOf } from "../formats/onnx/known.ts";
import type { Names } from "../graph/names.ts";
import type { Known } from "../ops/op.ts";
import { MAX_KNOWN_ELEMENTS, type Value } from "../ops/value.ts";
import type { Constant } from "../optimize/model.ts";
import { optimize } from "../optimize/optimize.ts";
import { scaledPayload } from "../optimize/scaling.ts";
import { bytesIn, memoryPayload } from "../payload.ts";
import { arrayOf, elements, tensorBytes } from "../tensor.ts";
import { bytesOf } from "./onnx.ts";
import type { Definition } from "./onnx-weights.ts";
import type { Log } from "./report.ts";

/**
 * Optimizes the main graph and says what is defined now: what is left of `definitions`, with what was folded into it, and what was made.
 * The log tells what became of the others.
 */
export async function optimizeOnnx(document: Document, definitions: readonly Definition[], names: Names, log: Log): Promise<Definition[]> {
  // From IR 4 on, an initializer that is an input too is a default: callers may give another.
  const inputs = new Set(document.ir_version < 4 ? [] : document.main.inputs);
  const isMain = ({ home, kept, info }: Definition): boolean => home === document.main && kept === undefined && !inputs.has(info.name);
  for (const definition of definitions) if (isMain(definition)) spell(definition, document);
  const known = new SmallValues(document);
  const outcome = await optimize(document, definitions.filter(isMain), (constants) => known.of(constants), names.fresh);
  for (const { info } of definitions) {
    const reason = outcome.dropped.get(info.name);
    if (reason !== undefined) log.dropped(info, reason, bytesOf(info));
  }
  log.optimization = { nodes: outcome.nodes };
  const left = new Set<Constant>(outcome.constants);
  const made = outcome.made.map(({ info, payload }): Definition => ({ info, home: document.main, payload, bulk: [], made: true }));
  for (const { info } of made) document.tensors.set(info.name, info);
  const rest = definitions.filter((definition) => !isMain(definition) || left.has(definition));
  for (const definition of rest) {
    const { payload, scaling } = definition;
    if (payload && scaling) definition.payload = scaledPayload(payload, scaling);
    if (definition.lifted) document.tensors.set(definition.info.name, definition.info);
  }
  return [...rest, ...made];
}

/** Integers in typed fields, which no scheme looks at, as the bytes that raw_data would hold. */
function spell(definition: Definition, { origins }: Document): void {
  const { info, message, constant, payload } = definition;
  const origin = message ?? (constant && constantTensor(constant, origins));
  if (payload || !origin || info.dtype === "string") return;
  const tensor = smallTensor(origin, info);
  if (tensor) definition.payload = memoryPayload(tensorBytes(tensor));
}

/** What is known of constants: types, shapes and, of small ones, the elements. */
class SmallValues {
  readonly #document: Document;
  readonly #values = new Map<Constant, Value>();

  constructor(document: Document) {
    this.#document = document;
  }

  async of(constants: ReadonlyMap<string, Constant>): Promise<Known> {
    const values = new Map<string, Value>();
    for (const [name, constant] of constants) {
      const value = this.#values.get(constant) ?? (await small(constant));
      this.#values.set(constant, value);
      values.set(name, value);
    }
    return knownOf(this.#document, values);
  }
}

async function small({ info: { dtype, shape }, payload }: Constant): Promise<Value> {
  if (!payload || dtype === "string" || elements(shape) > MAX_KNOWN_ELEMENTS) return { dtype, shape };
  return { dtype, shape, constant: { dtype, shape, data: arrayOf(dtype, await bytesIn(payload)) } };
}
