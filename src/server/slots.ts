import type { Limits } from "./ports.ts";
import { HttpProblem } from "./problem.ts";

/** When a client should ask again; most models take less. */
const RETRY_SECONDS = 5;

/** A place among the running, held by one run. */
export interface Slot {
  /** Says that the run is alive. */
  beat(): void;
  /** Keeps a name of the store to this run until its place is given back. @throws {HttpProblem} 409 while another run has it. */
  reserve(output: string): void;
  release(): void;
}

/**
 * Bounds how many run at once. A platform can end a request without running its `finally` (CPU limit, lost isolate context),
 * so a slot that does not beat for LOST_SECONDS counts as free, and so does the name that it has reserved. Other processes are not seen.
 */
export class Slots {
  readonly #limits: Limits;
  readonly #most: "MAX_RUNNING" | "MAX_INFERRING";
  readonly #beats = new Map<Slot, number>();
  readonly #outputs = new Map<string, Slot>();

  /** `most` names the limit of how many. */
  constructor(limits: Limits, most: "MAX_RUNNING" | "MAX_INFERRING" = "MAX_RUNNING") {
    this.#limits = limits;
    this.#most = most;
  }

  /** Runs under way. */
  get taken(): number {
    return this.#beats.size;
  }

  /** @throws {HttpProblem} 503 when all are taken. */
  take(): Slot {
    const now = Date.now();
    for (const [slot, beat] of this.#beats) if (now - beat > this.#limits.LOST_SECONDS * 1000) this.#beats.delete(slot);
    const most = this.#limits[this.#most];
    if (this.#beats.size >= most) {
      throw new HttpProblem(503, `${most} runs are under way [${this.#most}]; try again later`, {
        "retry-after": String(RETRY_SECONDS),
      });
    }
    const slot: Slot = {
      beat: () => void this.#beats.set(slot, Date.now()),
      reserve: (output) => {
        const holder = this.#outputs.get(output);
        if (holder && holder !== slot && this.#beats.has(holder))
          throw new HttpProblem(409, `Another run is writing to /v1/models/${output}; choose another output, or wait until it has ended`);
        this.#outputs.set(output, slot);
      },
      release: () => {
        this.#beats.delete(slot);
        for (const [output, holder] of this.#outputs) if (holder === slot) this.#outputs.delete(output);
      },
    };
    slot.beat();
    return slot;
  }
}
