/** Reads a model as the engine does and infers its values, for tests that compare them with what a runtime gives. */
import { Document } from "../../src/formats/onnx/document.ts";
import { knownOf, tensorValue } from "../../src/formats/onnx/known.ts";
import { Parser } from "../../src/formats/onnx/parse.ts";
import { headerComplete, tensorInfo } from "../../src/formats/onnx/tensor.ts";
import { sourceInput } from "../../src/io/input.ts";
import { Reader } from "../../src/io/reader.ts";
import { memorySource } from "../../src/io/source.ts";
import { type Inferred, inferGraph } from "../../src/ops/infer.ts";
import type { Known } from "../../src/ops/op.ts";
import type { Value } from "../../src/ops/value.ts";

export interface InferredModel {
  document: Document;
  known: Known;
  inferred: Inferred;
  /** Values of the main graph. */
  values: ReadonlyMap<string, Value>;
}

/**
 * `inputs` say more of the main graph's inputs than the model does. What it declares of other values is not looked at, unless with
 * `declared`.
 */
export async function inferModel(
  bytes: Uint8Array,
  inputs: ReadonlyMap<string, Value> = new Map(),
  declared = false,
): Promise<InferredModel> {
  const document = new Document();
  const initializers = new Map<string, Value>();
  const nothing = { again: false, async *chunks() {} };
  const parser = new Parser(new Reader(sourceInput(memorySource(bytes))), async ({ length }) => ({ ...nothing, length }), headerComplete);
  for await (const item of parser.items()) {
    const info = item.kind === "initializer" ? tensorInfo(item.message) : undefined;
    if (item.kind === "initializer" && info) initializers.set(info.name, tensorValue(item.message));
    document.add(item, info);
  }
  const known = knownOf(document, initializers);
  const inferred = inferGraph(document.main, {
    ...known,
    value(graph, name) {
      const given = graph === document.main ? inputs.get(name) : undefined;
      const isTold = declared || graph.inputs.includes(name) || graph.initializers.includes(name);
      return given ?? (isTold ? known.value(graph, name) : undefined);
    },
  });
  return { document, known, inferred, values: inferred.get(document.main) ?? new Map() };
}
