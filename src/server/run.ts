import type { Context } from "hono";
import type { Input } from "../io/input.ts";
import type { Limits } from "./ports.ts";
import { GoneError, StallError } from "./problem.ts";
import type { Slot, Slots } from "./slots.ts";
import { uploadInput } from "./upload.ts";

/** Lets the platform know that work goes on after the response; where there is no such thing, it just does. */
export function waitUntil(c: Context, work: Promise<unknown>): void {
  try {
    c.executionCtx.waitUntil(work);
  } catch {
    // hono throws where the door gave no execution context
  }
}

/** Work that goes on, and cleans up, when the client has gone: a platform may drop a handler then. */
export function lasting<T>(c: Context, work: () => Promise<T>): Promise<T> {
  const running = work();
  waitUntil(
    c,
    running.catch(() => {}),
  );
  return running;
}

/**
 * One run on behalf of a client: ends when the client goes, or moves no bytes for STALL_SECONDS.
 * One interval looks at a timestamp, so that a chunk costs an assignment and no timer.
 */
export class Run {
  readonly #abort = new AbortController();
  readonly #slot: Slot | undefined;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #request: AbortSignal;
  readonly #gone = (): void => this.abort(new GoneError());
  #moved: number | undefined = performance.now();
  /** Called with each beat of the interval, while the run lives. */
  onBeat: (() => void) | undefined;
  /** Set when the response has begun, so that its status says no more. */
  answered = false;

  /** @throws {HttpProblem} 503 when `slots` are given and none is free. */
  constructor(request: Request, { STALL_SECONDS }: Limits, slots?: Slots) {
    this.#slot = slots?.take();
    this.#request = request.signal;
    this.#request.addEventListener("abort", this.#gone, { once: true });
    this.#timer = setInterval(() => {
      this.#slot?.beat();
      this.onBeat?.();
      if (this.#moved !== undefined && performance.now() - this.#moved > STALL_SECONDS * 1000) this.abort(new StallError(STALL_SECONDS));
    }, Math.min(STALL_SECONDS, 20) * 250);
    if (this.#request.aborted) this.#gone();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The request's body. */
  upload(c: Context): Input | undefined {
    return uploadInput(c.req.raw, { signal: this.signal, canAnswer: () => !this.answered, waitUntil: (work) => waitUntil(c, work) });
  }

  /** Keeps a name of the store to this run until it ends. @throws {HttpProblem} 409 while another run has it. */
  reserve(output: string): void {
    this.#slot?.reserve(output);
  }

  /** Bytes moved. */
  readonly moved = (): void => {
    if (this.#moved !== undefined) this.#moved = performance.now();
  };

  /** From here on the client is not waited for. */
  readonly settled = (): void => {
    this.#moved = undefined;
  };

  abort(reason: unknown): void {
    this.#abort.abort(reason);
  }

  /** Ends the run: always call it. */
  end(): void {
    clearInterval(this.#timer);
    this.#request.removeEventListener("abort", this.#gone);
    this.#slot?.release();
  }
}
