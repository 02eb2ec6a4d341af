import type { Labels, Reason } from "./atoms.ts";
import type { Coupling, Layer } from "./coupling.ts";

/** An axis of a constant. */
export interface Place {
  tensor: string;
  axis: number;
}

/** What one unit takes of a constant's axis. */
export interface Part extends Place {
  indices: readonly number[];
}

/** Channels that go together: one of a layer and all that depends on it, a head of an attention. */
export interface Unit {
  atom: number;
  parts: readonly Part[];
}

/** Units that take the same axes of the same constants, so that one is worth as much as another. */
export interface Group {
  /** What it is called: the first weight that makes its channels. */
  name: string;
  units: readonly Unit[];
  /** Axes of weights that make its channels. */
  outputs: readonly Place[];
  /** Axes of weights that read them. */
  inputs: readonly Place[];
  /** Channels that a unit takes of an axis, at least. */
  width: number;
  /** Why it stays, where it does. */
  reason?: Reason;
}

/** The groups of a graph in the order in which their channels are made, those that cannot shrink among them. */
export function groupsOf(c: Coupling, constants: Iterable<readonly [name: string, shape: readonly number[]]>): Group[] {
  const units = unitsOf(c, constants);
  const roles = rolesOf(c);
  const bySignature = new Map<string, Unit[]>();
  for (const unit of units) {
    const signature = unit.parts.map(({ tensor, axis, indices }) => `${tensor}\0${axis}\0${indices.length}`).join("\0\0");
    const list = bySignature.get(signature);
    if (list) list.push(unit);
    else bySignature.set(signature, [unit]);
  }
  const groups: Group[] = [];
  for (const members of bySignature.values()) {
    for (const [isFree, same] of [
      [true, members.filter(({ atom }) => c.atoms.isFree(atom))],
      [false, members.filter(({ atom }) => !c.atoms.isFree(atom))],
    ] as const) {
      const [first] = same;
      if (!first) continue;
      const outputs = first.parts.filter(({ tensor, axis }) => roles.outputs.has(`${tensor}\0${axis}`)).map(placeOf);
      const [maker] = outputs;
      if (!maker) continue; // nothing makes these channels: an axis of a kernel, a table's rows
      const inputs = first.parts.filter(({ tensor, axis }) => roles.inputs.has(`${tensor}\0${axis}`)).map(placeOf);
      const reason = isFree ? undefined : c.atoms.reason(first.atom);
      const width = Math.min(...first.parts.map(({ indices }) => indices.length));
      groups.push({ name: maker.tensor, units: same, outputs, inputs, width, ...(reason && { reason }) });
    }
  }
  const order = new Map(c.layers.map(({ weight }, i) => [c.rootOf(weight), i]));
  return groups.toSorted((a, b) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0));
}

const placeOf = ({ tensor, axis }: Part): Place => ({ tensor, axis });

/** Every set of indices that go together, with all that it takes of constants. */
function unitsOf(c: Coupling, constants: Iterable<readonly [string, readonly number[]]>): Unit[] {
  const units = new Map<number, { atom: number; parts: { tensor: string; axis: number; indices: number[] }[] }>();
  for (const [tensor, shape] of constants) {
    const axes = c.axes(tensor) ?? [];
    for (let axis = 0; axis < shape.length; axis++) {
      axes[axis]?.forEach((label, index) => {
        const atom = c.atoms.find(label);
        const unit = units.get(atom) ?? { atom, parts: [] };
        units.set(atom, unit);
        const last = unit.parts.at(-1);
        if (last?.tensor === tensor && last.axis === axis) last.indices.push(index);
        else unit.parts.push({ tensor, axis, indices: [index] });
      });
    }
  }
  return [...units.values()];
}

/** The axes of constants along which channels are made and read. */
function rolesOf(c: Coupling): { outputs: ReadonlySet<string>; inputs: ReadonlySet<string> } {
  const roles = { outputs: new Set<string>(), inputs: new Set<string>() };
  const add = (set: Set<string>, { weight }: Layer, labels: Labels | undefined): void => {
    const root = c.rootOf(weight);
    const axes = root === undefined || !labels ? undefined : c.axes(root);
    const axis = axes?.findIndex(
      (each) => each && labels && c.atoms.find(each[0] as number) === c.atoms.find(labels[0] as number) && each.length === labels.length,
    );
    if (axis !== undefined && axis >= 0) set.add(`${root}\0${axis}`);
  };
  for (const layer of c.layers) {
    add(roles.outputs, layer, layer.output);
    add(roles.inputs, layer, layer.input);
  }
  return roles;
}
