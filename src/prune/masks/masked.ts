import type { Kernels } from "../../kernels/kernels.ts";
import { Slabs } from "../../kernels/slabs.ts";
import type { Payload } from "../../payload.ts";
import { BITS, elements, type FloatDType } from "../../tensor.ts";
import type { Mask } from "./mask.ts";

/** Instances of the kernels for what is read at the same time: each reader has one of its own. */
export class Instances {
  readonly #make: () => Promise<Kernels>;
  readonly #idle: Kernels[] = [];

  constructor(make: () => Promise<Kernels>) {
    this.#make = make;
  }

  take = async (): Promise<Kernels> => this.#idle.pop() ?? (await this.#make());
  give = (kernels: Kernels): void => void this.#idle.push(kernels);
}

/** A weight's bytes with what goes of it zero, masked as they are read. */
export function maskedPayload(instances: Instances, payload: Payload, dtype: FloatDType, shape: readonly number[], mask: Mask): Payload {
  return {
    length: payload.length,
    again: payload.again,
    async *chunks() {
      const kernels = await instances.take();
      const { arena, memory } = kernels;
      const mark = arena.mark();
      try {
        const slabs = new Slabs(kernels, dtype, "source", mask.unit, elements(shape));
        const pass = mask.begin(kernels);
        const size = BITS[dtype] / 8;
        const work = dtype === "float32" ? 0 : arena.alloc(Math.max(mask.unit, SLAB) * 4);
        let room = new Uint8Array(0);
        const masked = (x: number, n: number): Uint8Array => {
          if (room.byteLength < n * size) room = new Uint8Array(n * size);
          const bytes = room.subarray(0, n * size);
          if (work === 0) pass.apply(x, n);
          else {
            kernels.fn[WIDEN[dtype as keyof typeof WIDEN]](n, x, work);
            pass.apply(work, n);
            const [left, raw] = [new Float32Array(memory.buffer, work, n), new Uint8Array(memory.buffer, x, n * size)];
            for (let i = 0; i < n; i++) if (left[i] === 0) raw.fill(0, i * size, (i + 1) * size);
          }
          bytes.set(new Uint8Array(memory.buffer, x, n * size));
          return bytes;
        };
        for await (const chunk of payload.chunks()) for (const [x, n] of slabs.push(chunk)) yield masked(x, n);
        for (const [x, n] of slabs.flush()) yield masked(x, n);
      } finally {
        arena.reset(mark);
        instances.give(kernels);
      }
    },
  };
}

/** Elements of a slab, at most, unless a unit is larger. */
const SLAB = 1 << 16;
const WIDEN = { float16: "f16_f32", bfloat16: "bf16_f32", float64: "f64_f32" } as const;
