import { BITS, type FloatDType } from "../tensor.ts";
import type { Kernels } from "./kernels.ts";

/** Elements in a slab, at least: 256 KiB of float32, which stays in cache between kernels. */
const SLAB = 1 << 16;

/** Gathers source bytes in WASM memory and hands them on as slabs of whole units, converted to float32 where asked. */
export class Slabs {
  readonly #kernels: Kernels;
  readonly #raw: number;
  readonly #float: number;
  readonly #capacity: number; // bytes
  readonly #size: number; // bytes an element
  readonly #convert: ((n: number, x: number, y: number) => void) | undefined;
  #fill = 0;

  constructor(kernels: Kernels, dtype: FloatDType, takes: "float32" | "source", unit: number, elements: number) {
    const slab = Math.min(Math.max(Math.floor(SLAB / unit), 1) * unit, Math.max(elements, 1));
    const { f16_f32, bf16_f32, f64_f32 } = kernels.fn;
    this.#kernels = kernels;
    this.#size = BITS[dtype] / 8;
    this.#capacity = slab * this.#size;
    this.#raw = kernels.arena.alloc(this.#capacity);
    this.#convert = takes === "source" ? undefined : { float32: undefined, float16: f16_f32, bfloat16: bf16_f32, float64: f64_f32 }[dtype];
    this.#float = this.#convert ? kernels.arena.alloc(slab * 4) : this.#raw;
  }

  /** Takes any number of bytes; yields a slab (pointer, elements) each time one is full. */
  *push(bytes: Uint8Array): Generator<[x: number, n: number]> {
    for (let at = 0; at < bytes.byteLength; ) {
      const n = Math.min(this.#capacity - this.#fill, bytes.byteLength - at);
      this.#kernels.arena.u8(this.#raw + this.#fill, n).set(bytes.subarray(at, at + n));
      this.#fill += n;
      at += n;
      if (this.#fill === this.#capacity) yield this.#slab();
    }
  }

  /** The last, shorter slab, if there is one. */
  *flush(): Generator<[x: number, n: number]> {
    if (this.#fill > 0) yield this.#slab();
  }

  /** Slabs of elements that lie in WASM memory already, at `address`. */
  *over(address: number, elements: number): Generator<[x: number, n: number]> {
    const slab = this.#capacity / this.#size;
    for (let at = 0; at < elements; at += slab) {
      const n = Math.min(slab, elements - at);
      const x = address + at * this.#size;
      this.#convert?.(n, x, this.#float);
      yield [this.#convert ? this.#float : x, n];
    }
  }

  #slab(): [number, number] {
    const n = this.#fill / this.#size;
    this.#fill = 0;
    this.#convert?.(n, this.#raw, this.#float);
    return [this.#float, n];
  }
}
