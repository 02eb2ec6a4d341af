/** Edits a graph whose channels go. */
import { UnsupportedError } from "../errors.ts";
import type { Document } from "../formats/onnx/document.ts";
import { resized } from "../formats/onnx/resized.ts";
import type { Names } from "../graph/names.ts";
import { Patch } from "../graph/patch.ts";
import { operations } from "../ops/cost.ts";
import { inferGraph } from "../ops/infer.ts";
import { constantValue, isStatic } from "../ops/value.ts";
import type { Coupling } from "../prune/channels/coupling.ts";
import type { Removal } from "../prune/channels/removal.ts";
import { shrink } from "../prune/channels/shrink.ts";
import { slicedPayload } from "../prune/channels/sliced.ts";
import { SmallValues } from "../runtime/known.ts";
import { arrayOf, BITS, byteLength } from "../tensor.ts";
import type { Definition } from "./onnx-weights.ts";
import type { Log } from "./report.ts";

export type Weights = ReadonlyMap<string, Definition>;

/** Makes initializers of the Constant nodes that hold some tensors, so that these can have other elements. */
export function lift(document: Document, definitions: Iterable<Definition>): void {
  const patch = new Patch();
  for (const definition of definitions) {
    const { constant, info, payload } = definition;
    if (!constant || !payload) continue;
    patch.remove(constant);
    patch.define(document.main, info.name);
    document.tensors.set(info.name, info);
    definition.lifted = true;
    delete definition.constant;
  }
  document.apply(patch);
}

/** Edits the graph and its tensors. */
export function removeChannels(
  document: Document,
  coupling: Coupling,
  removal: Removal,
  own: Weights,
  names: Names,
  log: Log,
): Map<string, Definition> {
  const { main } = document;
  const patch = new Patch();
  const shrinking = {
    coupling,
    removal,
    fresh: names.fresh,
    integers(like: string, values: readonly number[]): string {
      const name = names.fresh(like);
      patch.addVector(main, name, values);
      return name;
    },
  };
  for (const node of main.nodes) {
    const nodes = shrink(node, shrinking);
    if (nodes.length !== 1 || nodes[0] !== node) patch.replace(node, nodes);
  }
  const pruned = new Map<string, Definition>();
  for (const [name, definition] of own) {
    const left = removal.of(name);
    pruned.set(name, left ? sliced(definition, left, log) : definition);
    if (!left) continue;
    const { info } = pruned.get(name) as Definition;
    document.tensors.set(name, info);
    if (!definition.constant) continue;
    patch.remove(definition.constant);
    patch.define(main, name);
  }
  for (const [i, field] of document.graphLeaves.entries())
    document.graphLeaves[i] = resized(field, (name) => removal.of(name) && removal.shape(name));
  document.apply(patch);
  dropUnread(document, own, pruned, log);
  return pruned;
}

function sliced(definition: Definition, left: readonly (readonly number[] | undefined)[], log: Log): Definition {
  const { info, payload, constant, ...rest } = definition;
  const shape = info.shape.map((d, axis) => left[axis]?.length ?? d);
  log.pruned(info, { shape });
  return {
    ...rest,
    info: { ...info, shape },
    payload: payload && slicedPayload(payload, info.shape, BITS[info.dtype] / 8, left),
    ...(constant && { lifted: true }),
    made: definition.made === true,
    isPruned: true,
  };
}

/** Shapes that nothing says any more. */
function dropUnread(document: Document, own: Weights, pruned: Map<string, Definition>, log: Log): void {
  const patch = new Patch();
  for (const [name, { info, constant }] of own) {
    const wasRead = document.values.uses(name, document.main).length > 0 || document.values.isOutput(name, document.main);
    if (wasRead || info.dtype !== "int64" || !pruned.has(name)) continue;
    pruned.delete(name);
    log.dropped(info, "a shape or list that another one stands for now", byteLength(info.dtype, info.shape));
    if (constant) patch.remove(constant);
    else patch.undefine(document.main, name);
  }
  document.apply(patch);
}

/** Infers all shapes anew: what they are must be what was meant. Gives the operations that are left. */
export async function verify(document: Document, removal: Removal, pruned: Weights, coupling: Coupling): Promise<number> {
  const { main } = document;
  const known = await new SmallValues(document).of(pruned);
  const added = new Map(main.added.map(({ bytes, ...info }) => [info.name, constantValue({ ...info, data: arrayOf(info.dtype, bytes) })]));
  const all = inferGraph(main, {
    ...known,
    value: (graph, name) => (graph === main ? added.get(name) : undefined) ?? known.value(graph, name),
  });
  const inferred = all.get(main);
  for (const node of main.nodes) {
    for (const name of node.output) {
      const [wanted, given] = [removal.shape(name), inferred?.get(name)?.shape];
      if (!coupling.shape(name) || !isStatic(wanted) || (isStatic(given) && given.join() === wanted.join())) continue;
      throw new UnsupportedError(
        `Pruning would break ${node.op_type} '${node.name || name}': it would give [${given ?? "?"}] where [${wanted}] is expected; ` +
          "protect the weights around it, and report the model",
        { node: node.name },
      );
    }
  }
  return operations(main, all);
}
