import { LimitError } from "../errors.ts";

/** Subgraphs that one run starts, at most: a loop without end stops here. */
export const MAX_SUBGRAPH_RUNS = 100_000;

/** How long steps run before others have their turn; and how many where the clock stands still meanwhile, as it does in a Worker. */
const TURN_MS = 50;
const TURN_STEPS = 32;

/** What the steps of one run share, those of subgraphs too. */
export class Run {
  readonly #signal: AbortSignal | undefined;
  /** Bytes that the run may take outside of the arena. */
  readonly #room: number;
  #taken = 0;
  #started = 0;
  #turn = performance.now();
  #still = 0;

  constructor(room: number, signal?: AbortSignal) {
    this.#room = room;
    this.#signal = signal;
  }

  /** Counts a subgraph that is started. */
  enter(): void {
    if (++this.#started <= MAX_SUBGRAPH_RUNS) return;
    const what = `The model has started ${MAX_SUBGRAPH_RUNS} loop turns or branches in one run; does a loop end?`;
    throw new LimitError("MAX_SUBGRAPH_RUNS", what);
  }

  /** Bytes that may still be taken. */
  get left(): number {
    return this.#room - this.#taken;
  }

  /** Counts bytes of values that are held outside of the arena; fewer than none are given back. */
  take(bytes: number): void {
    this.#taken += bytes;
    if (this.left >= 0) return;
    const what = `The run holds ${this.#taken} bytes of values whose shapes depend on data, of ${this.#room} that are left`;
    throw new LimitError("MAX_MODEL_MEMORY", `${what}; give it smaller inputs, or run it where there is more memory`);
  }

  /** Lets others have their turn where it is time, after which an aborted run ends; undefined where it is not. */
  pause(): Promise<void> | undefined {
    const passed = performance.now() - this.#turn;
    if (passed < TURN_MS && !(this.#signal && passed === 0 && ++this.#still % TURN_STEPS === 0)) return undefined;
    return new Promise((resolve) => setTimeout(resolve)).then(() => {
      this.#signal?.throwIfAborted();
      this.#turn = performance.now();
    });
  }
}
