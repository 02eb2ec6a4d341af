import { UnsupportedError } from "../errors.ts";
import type { Document } from "../formats/onnx/document.ts";
import { knownOf } from "../formats/onnx/known.ts";
import type { Need } from "../formats/onnx/represent.ts";
import type { Graph } from "../graph/graph.ts";
import type { Names } from "../graph/names.ts";
import { FIRST_OPSET, type Upgrade, upgrade } from "../graph/upgrade/upgrade.ts";
import type { Model } from "../graph/upgrade/workbench.ts";
import { type Inferred, inferGraph } from "../ops/infer.ts";
import { needOf } from "./onnx-patch.ts";
import type { Encoded } from "./onnx-weights.ts";
import type { Log } from "./report.ts";

/** The upgrade to the opset that is needed; undefined where the model has it. */
export function planUpgrade(document: Document, { opset, by }: Need, fresh: (name: string) => string): Upgrade | undefined {
  const from = document.opset;
  if (from >= opset) return undefined;
  const why = `${by} needs opset ${opset}, and the model has opset ${from}`;
  if (from < FIRST_OPSET) throw new UnsupportedError(`${why}; export it with a newer opset`);
  const [part] = document.untouched;
  if (part) throw new UnsupportedError(`${why}, from which its ${part} cannot be upgraded; export it with opset ${opset}`);
  return upgrade(document.main, from, opset, { fresh, typeOf: typesOf(document) });
}

/** Types and ranks of a document's values, inferred when one is first asked for. */
export function typesOf(document: Document): Model["typeOf"] {
  let inferred: Inferred | undefined;
  return (name, graph) => {
    inferred ??= inferGraph(document.main, knownOf(document, document.tensors));
    for (let scope: Graph | undefined = graph; scope; scope = scope.parent) {
      const value = inferred.get(scope)?.get(name);
      if (value) return { dtype: value.dtype, rank: value.shape?.length };
    }
    return {};
  };
}

/** Upgrades the whole graph where the encoded weights need a newer opset than it has. Call it before their nodes are made. */
export function raiseOpset(document: Document, encoded: readonly Encoded[], names: Names, log: Log): void {
  if (encoded.length === 0) return;
  const needs = encoded.map((each) => ({ ...needOf(document, each), tensor: each.definition.info.name }));
  const need = needs.reduce((most, each) => (each.opset > most.opset ? each : most));
  naming(need.tensor, () => raiseTo(document, need, names, log));
}

/** Upgrades the whole graph where it has an older opset than is needed. */
export function raiseTo(document: Document, need: Need, names: Names, log: Log): void {
  const from = document.opset;
  const made = planUpgrade(document, need, names.fresh);
  if (!made) return;
  document.apply(made.patch);
  document.importOpset(need.opset);
  log.warnOf(
    "opset-upgraded",
    `The model went from opset ${from} to ${need.opset}, which ${need.by} needs${made.nodes.length > 0 ? "; these nodes became others" : ""}`,
    made.nodes.map((node) => node.name || node.output[0] || node.op_type),
  );
}

/** Names the tensor in errors that name no node. */
function naming<T>(tensor: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof UnsupportedError) || error.place.node !== undefined) throw error;
    throw new UnsupportedError(`Tensor '${tensor}': ${error.message}`, { tensor });
  }
}
