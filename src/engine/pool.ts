import { BlockPool } from "../io/blocks.ts";
import { compiledOnce, Kernels, type WasmModules } from "../kernels/kernels.ts";
import type { Load } from "../runtime/load.ts";

/** Instances kept for the next run; each costs its memory. */
const MAX_IDLE = 2;
/** An instance that has grown beyond this is let go: WebAssembly memory never shrinks. */
const MAX_IDLE_BYTES = 8 << 20;
/** What one run may take of WebAssembly memory: a slab, scales and packed columns, within a Worker's 128 MB. */
export const MAX_ARENA_BYTES = 64 << 20;

/** What a run works with. */
export interface Tools {
  kernels: Kernels;
  /** What runs models. */
  load: Load;
  /** Another instance of the kernels, for matrices that have no room in a run's own. */
  spare(): Promise<Kernels>;
  blocks: BlockPool;
}

/** Kernel instances, one to a run: a run keeps its slabs in its instance's memory while it waits for bytes. */
export class KernelPool {
  readonly #blocks = new BlockPool();
  readonly #compiled: () => Promise<WasmModules>;
  readonly #load: Load;
  readonly #idle: Kernels[] = [];

  constructor(modules: () => Promise<WasmModules>, load: Load) {
    this.#compiled = compiledOnce(modules);
    this.#load = load;
  }

  /** Runs `work` with an instance of its own, and the blocks that all runs share. */
  async use<T>(work: (tools: Tools) => Promise<T>): Promise<T> {
    const idle = this.#idle.pop();
    const kernels = idle ?? Kernels.instantiate(await this.#compiled(), MAX_ARENA_BYTES);
    const mark = kernels.arena.mark();
    try {
      const spare = async () => Kernels.instantiate(await this.#compiled());
      return await work({ kernels, load: this.#load, spare, blocks: this.#blocks });
    } finally {
      kernels.arena.reset(mark);
      if (this.#idle.length < MAX_IDLE && kernels.memory.buffer.byteLength <= MAX_IDLE_BYTES) this.#idle.push(kernels);
    }
  }
}
