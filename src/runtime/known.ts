import type { Document } from "../formats/onnx/document.ts";
import { knownOf } from "../formats/onnx/known.ts";
import type { Known } from "../ops/op.ts";
import { MAX_KNOWN_ELEMENTS, type Value } from "../ops/value.ts";
import type { Constant } from "../optimize/model.ts";
import { bytesIn } from "../payload.ts";
import { arrayOf, elements } from "../tensor.ts";

/** What is known of constants: types, shapes and, of small ones, the elements. */
export class SmallValues {
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
