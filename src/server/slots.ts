import type { Limits } from "./ports.ts";
import { HttpProblem } from "./problem.ts";

/** When a client should ask again; most models take less. */
const RETRY_SECONDS = 5;

/** A place among the running, held by one run. */
export interface Slot {
  /** Says that the run is alive. */
  beat(): void;
  release(): void;
}

/**
 * Bounds how many run at once. A platform can end a request without running its `finally` (CPU limit, lost isolate context),
 * so a slot that does not beat for LOST_SECONDS counts as free.
 */
export class Slots {
  readonly #limits: Limits;
  readonly #beats = new Map<object, number>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Runs under way. */
  get taken(): number {
    return this.#beats.size;
  }

  /** @throws {HttpProblem} 503 when all are taken. */
  take(): Slot {
    const now = Date.now();
    for (const [slot, beat] of this.#beats) if (now - beat > this.#limits.LOST_SECONDS * 1000) this.#beats.delete(slot);
    const { MAX_RUNNING } = this.#limits;
    if (this.#beats.size >= MAX_RUNNING) {
      throw new HttpProblem(503, `${MAX_RUNNING} runs are under way [MAX_RUNNING]; try again later`, {
        "retry-after": String(RETRY_SECONDS),
      });
    }
    const slot: Slot = {
      beat: () => void this.#beats.set(slot, Date.now()),
      release: () => void this.#beats.delete(slot),
    };
    slot.beat();
    return slot;
  }
}
