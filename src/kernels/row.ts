// A row a kernel: what its tests and its benchmark are made from. Only these import it; nothing here is shipped.
export type Data =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/**
 * An argument of a kernel: a number, or data whose address is passed, the same one where an argument comes twice. `written` data is compared
 * with what the reference makes of it, unless it is scratch, where a kernel may leave anything.
 */
export type Arg = number | { readonly data: Data; readonly written: boolean; readonly scratch?: true };

export interface Case {
  readonly label: string;
  readonly args: readonly Arg[];
}

export interface Row<Name extends string = string> {
  readonly name: Name;
  readonly doc: string;
  readonly reference: (...args: never[]) => unknown;
  readonly cases: () => Iterable<Case>;
  /** Relative error allowed in float outputs; without it all must be equal bit for bit, in every build. */
  readonly tolerance?: number;
  /** Absolute error allowed besides. */
  readonly absolute?: number;
  /** Arguments for about `n` values, and the bytes of their wide side. */
  readonly bench: (n: number) => { args: readonly Arg[]; bytes: number };
}

export const input = (data: Data): Arg => ({ data, written: false });
export const output = (data: Data): Arg => ({ data, written: true });
export const scratch = (bytes: number): Arg => ({ data: new Uint8Array(bytes), written: true, scratch: true });

/** xorshift32, in [0, 1). */
export function random(seed: number): () => number {
  let s = Math.imul(seed + 1, 0x9e3779b1) | 1;
  return () => {
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    return (s >>> 0) / 2 ** 32;
  };
}
