/** The label of an index that stays. */
export const FIXED = 0;

/** What each index of an axis belongs to: indices of one atom, on whatever axis, go together or not at all. */
export type Labels = Int32Array;

/** The labels of a tensor's axes; undefined for an axis that stays as it is. */
export type Axes = readonly (Labels | undefined)[];

/** Why something cannot be removed. */
export interface Reason {
  /** The node that it is about, in words. */
  node: string;
  why: string;
}

/** Indices that go together, as a union-find: https://doi.org/10.1145/364099.364331. Atom 0 is what stays. */
export class Atoms {
  readonly #parents: number[] = [FIXED];
  readonly #reasons: (Reason | undefined)[] = [undefined];

  /** Labels for an axis of `length` indices that nothing is known to go with. */
  fresh(length: number): Labels {
    const first = this.#parents.length;
    for (let i = 0; i < length; i++) {
      this.#parents.push(first + i);
      this.#reasons.push(undefined);
    }
    return Int32Array.from({ length }, (_, i) => first + i);
  }

  /** The atom that stands for all that go with this one. */
  find(atom: number): number {
    const parents = this.#parents;
    let root = atom;
    while (parents[root] !== root) root = parents[root] as number;
    for (let at = atom; at !== root; ) {
      const next = parents[at] as number;
      parents[at] = root;
      at = next;
    }
    return root;
  }

  /** Makes two atoms go together. Where one stays, both do, for `reason` unless one is known. */
  unite(a: number, b: number, reason: Reason): void {
    const [first, second] = [this.find(a), this.find(b)];
    if (first === second) return;
    if (first === FIXED) this.fix(second, reason);
    else if (second === FIXED) this.fix(first, reason);
    else {
      this.#parents[second] = first;
      this.#reasons[first] ??= this.#reasons[second];
    }
  }

  /** Makes an atom, and what goes with it, stay. The first reason counts. */
  fix(atom: number, reason: Reason): void {
    const root = this.find(atom);
    if (root !== FIXED) this.#reasons[root] ??= reason;
  }

  /** Why an atom stays; undefined where it can go. Of atom 0 nothing is to be said. */
  reason(atom: number): Reason | undefined {
    return this.#reasons[this.find(atom)];
  }

  /** Whether what an atom labels can be removed. */
  isFree(atom: number): boolean {
    const root = this.find(atom);
    return root !== FIXED && this.#reasons[root] === undefined;
  }
}
