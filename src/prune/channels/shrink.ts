/** Nodes that say how many channels there are, or where: what they say afterwards. */
import { edited, makeNode, type Node } from "../../graph/graph.ts";
import { int, numbers } from "../../ops/op.ts";
import type { Coupling } from "./coupling.ts";
import type { Removal } from "./removal.ts";
import { type Cut, cutsOf } from "./rules/layout.ts";
import { groupingOf } from "./rules/products.ts";
import { isConcat, sayings } from "./targets.ts";

/** What an edit needs besides the node. */
export interface Shrinking {
  coupling: Coupling;
  removal: Removal;
  /** Gives the graph a list of int64 and its name. */
  integers(name: string, values: readonly number[]): string;
  fresh(name: string): string;
}

/** The nodes that stand for one afterwards: itself, where it says nothing of what goes. */
export function shrink(node: Node, shrinking: Shrinking): readonly Node[] {
  if (node.domain !== "" || node.graphs.length > 0) return [node];
  return EDITS.get(node.op_type)?.(node, shrinking) ?? [node];
}

type Edit = (node: Node, shrinking: Shrinking) => readonly Node[] | undefined;

const withInput = (node: Node, index: number, name: string): Node => {
  const input = [...node.input];
  while (input.length <= index) input.push("");
  input[index] = name;
  return edited(node, { input });
};

/** Fewer groups, where whole ones go. `channels` says how many a group reads. */
const groups =
  (channels: (sizes: readonly number[], group: number) => number): Edit =>
  (node, { coupling, removal }) => {
    const group = int(node, "group", 1);
    const [x = "", w = ""] = node.input;
    const own = channels(coupling.sizes(w) ?? [], group);
    const left = removal.of(x)?.[1];
    if (group === 1 || !left || groupingOf(group, own) === "within") return undefined;
    return [edited(node, { attributes: { ...node.attributes, group: left.length / own } })];
  };

/** Another shape at input `index`, where `to` tells of elements that they change. */
function retargeted(node: Node, index: number, to: (element: number, axis: number) => number | undefined, shrinking: Shrinking) {
  const { coupling: c, fresh, integers } = shrinking;
  const name = node.input[index] as string;
  const values = c.elements(name);
  const rank = c.shape(node.output[0] as string)?.length ?? 0;
  const says = sayings(c, name);
  if (!values || !says) return undefined;
  const changes = new Map<string, Map<number, number>>();
  values.forEach((value, i) => {
    const saying = says[i];
    const wanted = typeof value === "number" && saying ? to(value, i + rank - values.length) : undefined;
    if (wanted === undefined || !saying) return;
    changes.set(saying.constant, (changes.get(saying.constant) ?? new Map()).set(saying.index, wanted));
  });
  if (changes.size === 0) return undefined;
  const changed = (constant: string): string => {
    const own = changes.get(constant);
    return own
      ? integers(
          constant,
          (c.integers(constant) ?? []).map((value, i) => own.get(i) ?? value),
        )
      : constant;
  };
  if (c.isConstant(name)) return [withInput(node, index, changed(name))];
  const maker = c.maker(name);
  if (!maker || !isConcat(maker)) return undefined;
  const joined = makeNode("Concat", maker.input.map(changed), [fresh(name)], { axis: 0 });
  return [joined, withInput(node, index, joined.output[0] as string)];
}

/** Sizes that are said; 0 and −1 follow by themselves. */
const reshape: Edit = (node, shrinking) => {
  const left = shrinking.removal.of(node.output[0] as string);
  if (!left) return undefined;
  if (node.input[1]) return retargeted(node, 1, (size, axis) => (size > 0 ? left[axis]?.length : undefined), shrinking);
  const shape = numbers(node, "shape")?.map((size, axis) => (size > 0 ? (left[axis]?.length ?? size) : size));
  return shape && [edited(node, { attributes: { ...node.attributes, shape } })];
};

/** Sizes that are said; 1 leaves an axis as it is. */
const expand: Edit = (node, shrinking) => {
  const left = shrinking.removal.of(node.output[0] as string);
  return left && retargeted(node, 1, (size, axis) => (size > 1 ? left[axis]?.length : undefined), shrinking);
};

const constantOfShape: Edit = (node, shrinking) => {
  const left = shrinking.removal.of(node.output[0] as string);
  return left && retargeted(node, 0, (_, axis) => left[axis]?.length, shrinking);
};

const resize: Edit = (node, shrinking) => {
  const left = shrinking.removal.of(node.output[0] as string);
  return left && node.input[3] ? retargeted(node, 3, (_, axis) => left[axis]?.length, shrinking) : undefined;
};

/** As many are put around as are left of them. */
const pad: Edit = (node, { coupling: c, removal, integers }) => {
  const [x = "", list] = node.input;
  const [y = ""] = node.output;
  const left = removal.of(y);
  const shape = c.shape(x) ?? [];
  const pads = list ? c.integers(list) : numbers(node, "pads");
  if (!left || !pads) return undefined;
  const around = pads.map((count, i) => {
    const axis = i % shape.length;
    const own = left[axis];
    const [before, size] = [pads[axis] as number, Number(shape[axis])];
    return own ? own.filter((index) => (i < shape.length ? index < before : index >= before + size)).length : count;
  });
  if (around.every((count, i) => count === pads[i])) return undefined;
  return list ? [withInput(node, 1, integers(list, around))] : [edited(node, { attributes: { ...node.attributes, pads: around } })];
};

const split: Edit = (node, { coupling: c, removal, integers }) => {
  const [x = "", sizes] = node.input;
  const rank = c.shape(x)?.length ?? 0;
  const given = int(node, "axis", 0);
  const axis = given < 0 ? given + rank : given;
  if (!removal.of(x)?.[axis]) return undefined;
  const parts = node.output.map((name) => Number(removal.shape(name)?.[axis]));
  if (!sizes && c.opset < 13) return [edited(node, { attributes: { ...node.attributes, split: parts } })];
  const { num_outputs: _, ...attributes } = node.attributes; // sizes say it too
  return [withInput(edited(node, { attributes }), 1, integers(sizes || `${node.output[0]}/split`, parts))];
};

const slice: Edit = (node, { coupling: c, removal, integers }) => {
  const [x = "", starts, ends] = node.input;
  const left = removal.of(x);
  const cuts = cutsOf(node, c);
  if (!left || !cuts?.some(({ axis }) => left[axis])) return undefined;
  const list = (name: "starts" | "ends", input: string | undefined, at: (cut: Cut) => number): number[] => {
    const given = (input ? c.integers(input) : numbers(node, name)) ?? [];
    return cuts.map((cut, i) => (left[cut.axis] ? (left[cut.axis] ?? []).filter((index) => index < at(cut)).length : (given[i] as number)));
  };
  const places = { starts: list("starts", starts, ({ start }) => start), ends: list("ends", ends, ({ end }) => end) };
  if (!starts || !ends) return [edited(node, { attributes: { ...node.attributes, ...places } })];
  return [withInput(withInput(node, 1, integers(starts, places.starts)), 2, integers(ends, places.ends))];
};

/** The same channels under the numbers that they have now. */
const gather: Edit = (node, { coupling: c, removal, integers }) => {
  const [data = "", indices = ""] = node.input;
  const rank = c.shape(data)?.length ?? 0;
  const given = int(node, "axis", 0);
  const axis = given < 0 ? given + rank : given;
  const size = c.shape(data)?.[axis];
  const left = removal.of(data)?.[axis];
  const list = c.integers(indices);
  if (!left || !list || typeof size !== "number") return undefined;
  const numbered = new Map(left.map((index, i) => [index, i]));
  const picked = list.map((index) => numbered.get(index < 0 ? index + size : index)).filter((index) => index !== undefined);
  return [withInput(node, 1, integers(indices, picked))];
};

const EDITS: ReadonlyMap<string, Edit> = new Map(
  Object.entries<Edit>({
    ConstantOfShape: constantOfShape,
    Conv: groups(([, own = 1]) => own),
    ConvTranspose: groups(([channels = 1], group) => channels / group),
    Expand: expand,
    Gather: gather,
    Pad: pad,
    Reshape: reshape,
    Resize: resize,
    Slice: slice,
    Split: split,
  }),
);
