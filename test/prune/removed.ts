/** Removes channels of a model, and makes the model of which the same channels are zero. */

import { channelsOf } from "../../src/engine/channels.ts";
import { floatSource } from "../../src/engine/onnx-float.ts";
import { removeChannels, verify } from "../../src/engine/onnx-remove.ts";
import type { Definition } from "../../src/engine/onnx-weights.ts";
import { Log } from "../../src/engine/report.ts";
import { nestedDefinitions, readModel, spell } from "../../src/formats/onnx/read.ts";
import { Siblings } from "../../src/formats/onnx/siblings.ts";
import { Names } from "../../src/graph/names.ts";
import { inputOf } from "../../src/io/input.ts";
import { Reader } from "../../src/io/reader.ts";
import { memorySource } from "../../src/io/source.ts";
import { bytesIn, memoryPayload } from "../../src/payload.ts";
import type { Group, Unit } from "../../src/prune/channels/groups.ts";
import { Removal } from "../../src/prune/channels/removal.ts";
import { SmallValues } from "../../src/runtime/known.ts";
import { arrayOf, tensorBytes } from "../../src/tensor.ts";

export interface Removed {
  groups: readonly Group[];
  gone: readonly Unit[];
  /** The model without the channels. */
  pruned: Uint8Array;
  /** The model where all that belongs to them is zero. */
  zeroed: Uint8Array;
}

async function opened(bytes: Uint8Array) {
  const source = memorySource(bytes);
  const { document, definitions } = await readModel(new Reader(inputOf(source)), source, new Siblings(undefined, undefined));
  const all: Definition[] = definitions;
  const names = new Names();
  for (const node of document.main.nodes) names.addNode(node);
  for (const { info } of all) names.add(info.name);
  for (const name of [...document.main.inputs, ...document.main.outputs]) names.add(name);
  for await (const definition of nestedDefinitions(document, document.main, document.main.nodes)) all.push(definition);
  const own = new Map(all.filter(({ home, kept }) => home === document.main && kept === undefined).map((each) => [each.info.name, each]));
  for (const definition of own.values()) spell(definition, document);
  const constants = new Map([...own].flatMap(([name, { info, payload }]) => (payload ? [[name, info] as const] : [])));
  const { coupling, groups } = channelsOf(document, await new SmallValues(document).of(own), constants);
  return { document, all, own, names, coupling, groups };
}

const whole = async (source: ReturnType<typeof floatSource>): Promise<Uint8Array> => (await source.read(0, source.size)).slice();

/** Removes what `pick` picks of the groups that can shrink. */
export async function removed(bytes: Uint8Array, pick: (groups: readonly Group[]) => readonly Unit[]): Promise<Removed> {
  const { document, all, own, names, coupling, groups } = await opened(bytes);
  const gone = pick(groups.filter(({ reason }) => !reason));
  const removal = new Removal(coupling, new Set(gone.map(({ atom }) => atom)));
  const pruned = removeChannels(document, coupling, removal, own, names, new Log());
  await verify(document, removal, pruned, coupling);
  const rest = all.filter(({ info, home }) => home !== document.main || !own.has(info.name));
  return {
    groups,
    gone,
    pruned: await whole(floatSource(document, [...rest, ...pruned.values()])),
    zeroed: await zeroed(bytes, gone),
  };
}

/** Sets every slice that the units take to zero. */
async function zeroed(bytes: Uint8Array, gone: readonly Unit[]): Promise<Uint8Array> {
  const { document, all, own } = await opened(bytes);
  const parts = gone.flatMap((unit) => unit.parts);
  for (const definition of own.values()) {
    const { info, payload, constant } = definition;
    const mine = parts.filter(({ tensor }) => tensor === info.name);
    if (mine.length === 0 || !payload) continue;
    const data = arrayOf(info.dtype, await bytesIn(payload)) as Float32Array;
    for (const axis of new Set(mine.map((part) => part.axis))) {
      const lost = new Set(mine.flatMap((part) => (part.axis === axis ? part.indices : [])));
      const inner = info.shape.slice(axis + 1).reduce((n, d) => n * d, 1);
      const size = info.shape[axis] as number;
      for (let i = 0; i < data.length; i++) if (lost.has(Math.floor(i / inner) % size)) data[i] = 0;
    }
    definition.payload = memoryPayload(tensorBytes({ dtype: info.dtype, shape: info.shape, data }));
    definition.made = true; // written anew
    if (constant) {
      document.main.nodes.splice(document.main.nodes.indexOf(constant), 1);
      document.main.initializers.push(info.name);
      document.main.edited = true;
    }
    delete definition.message;
  }
  return whole(floatSource(document, all));
}
