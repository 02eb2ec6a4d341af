import type { Decision } from "../encoding.ts";
import { UnsupportedError } from "../errors.ts";
import type { Document } from "../formats/onnx/document.ts";
import { isDecided } from "../graph/dynamic.ts";
import { actionOf, type Decider } from "./decide.ts";
import { type Definition, decide } from "./onnx-weights.ts";

/** Decisions about the weights of a model that is read once, each by what has been read until then. */
export class Decisions {
  readonly #document: Document;
  readonly #decider: Decider;
  readonly #made: [Pick<Definition, "info" | "home">, Decision][] = [];

  constructor(document: Document, decider: Decider) {
    this.#document = document;
    this.#decider = decider;
  }

  /** Whether a node that uses a weight has been read. */
  isUsed({ info, home }: Definition): boolean {
    const { values } = this.#document;
    return values.uses(info.name, home).length > 0 || values.isOutput(info.name, home);
  }

  /** Whether a weight's use has been read, and what decides about it besides. */
  isKnown(definition: Definition): boolean {
    const { info, home } = definition;
    return this.isUsed(definition) && (!this.#decider.dynamic || isDecided(this.#document.values, info.name, home));
  }

  make(definition: Definition): Decision {
    const decision = decide(this.#decider, this.#document, definition);
    this.#made.push([{ info: definition.info, home: definition.home }, decision]);
    return decision;
  }

  /** Refuses a model whose end would have changed one: what has been written cannot be taken back. */
  verify(): void {
    for (const [definition, decision] of this.#made) {
      const now = decide(this.#decider, this.#document, definition);
      if (now.kind === "keep" && decision.kind === "keep") continue;
      if (JSON.stringify(now) === JSON.stringify(decision)) continue;
      const { name } = definition.info;
      const became = decision.kind === "keep" ? "was kept in float" : `became ${actionOf(decision)}`;
      throw new UnsupportedError(
        `Tensor '${name}' ${became} as it passed, but what came after it in the file needs it otherwise; give the model as a source that can be read again`,
        { tensor: name },
      );
    }
  }
}
