import { edited } from "../graph/graph.ts";
import { integersOf } from "../ops/value.ts";
import { Edits, type Model } from "./model.ts";

/** Lets a convolution pad by itself what a Pad before it pads with zeros. */
export function pads(model: Model): boolean {
  const edits = new Edits(model);
  for (const conv of model.main.nodes) {
    const [x = ""] = conv.input;
    const pad = model.producer(x);
    if (conv.op_type !== "Conv" || conv.domain !== "" || pad?.op_type !== "Pad" || pad.domain !== "" || !model.isPrivate(x)) continue;
    const rank = model.constants.get(conv.input[1] as string)?.info.shape.length;
    const added = (pad.attributes.pads as readonly number[] | undefined) ?? integersOf(model.inferred.get(pad.input[1] ?? ""));
    const value = pad.input[2] ? model.inferred.get(pad.input[2])?.constant?.data[0] : (pad.attributes.value ?? 0);
    const mode = pad.attributes.mode ?? "constant";
    const auto = conv.attributes.auto_pad ?? "NOTSET";
    if (!rank || added?.length !== 2 * rank || pad.input[3] || value !== 0 || mode !== "constant" || edits.isTouched(pad)) continue;
    if (added.some((n, i) => n < 0 || (i % rank < 2 && n !== 0)) || (auto !== "NOTSET" && auto !== "VALID")) continue;
    const spatial = added.filter((_, i) => i % rank >= 2);
    const own = (auto === "NOTSET" && (conv.attributes.pads as readonly number[] | undefined)) || spatial.map(() => 0);
    const { auto_pad: _, ...attributes } = conv.attributes;
    edits.replace(pad, []);
    const input = [pad.input[0] as string, ...conv.input.slice(1)];
    edits.replace(conv, [edited(conv, { input, attributes: { ...attributes, pads: spatial.map((n, i) => n + (own[i] as number)) } })]);
  }
  return edits.apply();
}
