import type { DType, Tensor } from "../tensor.ts";

/** A tensor in the memory of the kernels. */
export interface Operand {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Of its first byte; of packed data where the operator packs it. */
  readonly address: number;
  /** How packed data is laid out, where the kernel must be told, and the bytes from group to group. */
  readonly form?: number | undefined;
  readonly stride?: number | undefined;
  /** Its elements, where they are few and known before the run. */
  readonly constant?: Tensor | undefined;
}
