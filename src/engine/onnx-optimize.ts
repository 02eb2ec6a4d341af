import type { Document } from "../formats/onnx/document.ts";
import { spell } from "../formats/onnx/read.ts";
import type { Names } from "../graph/names.ts";
import type { Constant } from "../optimize/model.ts";
import { optimize } from "../optimize/optimize.ts";
import { scaledPayload } from "../optimize/scaling.ts";
import { SmallValues } from "../runtime/known.ts";
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
