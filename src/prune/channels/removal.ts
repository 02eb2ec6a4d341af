import type { Dims } from "../../ops/value.ts";
import type { Labels } from "./atoms.ts";
import type { Coupling } from "./coupling.ts";

/** What goes of a graph: sets of indices, each by the atom that stands for it. */
export class Removal {
  readonly #coupling: Coupling;
  readonly #gone: ReadonlySet<number>;

  constructor(coupling: Coupling, gone: ReadonlySet<number>) {
    this.#coupling = coupling;
    this.#gone = gone;
  }

  /** The indices of an axis that are left; undefined where all are. */
  left(labels: Labels | undefined): readonly number[] | undefined {
    if (!labels) return undefined;
    const { atoms } = this.#coupling;
    const left: number[] = [];
    labels.forEach((label, index) => {
      if (!this.#gone.has(atoms.find(label))) left.push(index);
    });
    return left.length < labels.length ? left : undefined;
  }

  /** What is left of each axis of a value; undefined where nothing of it goes. */
  of(name: string): readonly (readonly number[] | undefined)[] | undefined {
    const left = this.#coupling.axes(name)?.map((labels) => this.left(labels));
    return left?.some(Boolean) ? left : undefined;
  }

  /** The shape of a value afterwards; undefined where its rank is not known. */
  shape(name: string): Dims | undefined {
    const left = this.of(name);
    return this.#coupling.shape(name)?.map((size, axis) => left?.[axis]?.length ?? size);
  }
}
