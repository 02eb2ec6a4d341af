import { type Case, type Data, input, output, type Row, random } from "../row.ts";
import * as half from "../table.ts";
import type { VectorKernels } from "./vector.ts";

const COUNTS = [0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33];

interface Type {
  readonly make: (values: readonly number[]) => Data;
  readonly blank: (n: number) => Data;
  /** The value as an element of the type. */
  readonly of: (value: number) => number | bigint;
}

const narrow = (x: number): number => (Math.abs(x) < 2 ** 31 ? Math.trunc(x) : -(2 ** 31));
const wide = (x: number): bigint => (Math.abs(x) < 2 ** 63 ? BigInt(Math.trunc(x)) : -(2n ** 63n));

const TYPES = {
  f32: { make: (v) => Float32Array.from(v), blank: (n) => new Float32Array(n).fill(85), of: Math.fround },
  i64: { make: (v) => BigInt64Array.from(v, wide), blank: (n) => new BigInt64Array(n).fill(85n), of: wide },
  i32: { make: (v) => Int32Array.from(v), blank: (n) => new Int32Array(n).fill(85), of: narrow },
  u8: { make: (v) => Uint8Array.from(v), blank: (n) => new Uint8Array(n).fill(85), of: Math.trunc },
  i8: { make: (v) => Int8Array.from(v), blank: (n) => new Int8Array(n).fill(85), of: Math.trunc },
  bool: { make: (v) => Uint8Array.from(v), blank: (n) => new Uint8Array(n).fill(85), of: (x) => (x === 0 ? 0 : 1) },
} as const satisfies Record<string, Type>;

const VALUES = [0, 0.5, -0.5, 0.999, 1, -1, 2.5, 126, 127.9, 128, -129, 254.5, 256, 3e5, 16777217, 2147483520, 3e9, -3e9, 9e15];
const FLOATS = [...VALUES, -1e18, 1e19, -1e19, 3e38, 1e-40, Number.NaN, Infinity, -Infinity];

function cast(name: string & keyof VectorKernels): Row<string & keyof VectorKernels> {
  const [from, to] = name.split("_") as [keyof typeof TYPES, keyof typeof TYPES];
  const pool = from === "f32" ? FLOATS : VALUES.map(Math.trunc);
  const values = (n: number): Data => {
    const next = random(n);
    return TYPES[from].make(Array.from({ length: n }, (_, i) => pool[n > 30 ? i % pool.length : Math.floor(next() * pool.length)]!));
  };
  const convert = (x: number | bigint) => {
    if (name === "i64_i32") return Number(BigInt.asIntN(32, x as bigint));
    return TYPES[to].of(Number(x));
  };
  return {
    name,
    doc: `casts ${from} to ${to}`,
    reference: (n: number, x: Data, y: Data) => {
      for (let i = 0; i < n; i++) (y as (number | bigint)[] & Data)[i] = convert(x[i]!);
    },
    cases: function* (): Iterable<Case> {
      for (const n of COUNTS) yield { label: `${n}`, args: [n, input(values(n)), output(TYPES[to].blank(n))] };
    },
    bench: (n) => ({ args: [n, input(values(n)), output(TYPES[to].blank(n))], bytes: n * 4 }),
  };
}

const halves = half.table.filter(({ name }) => name === "f16_f32" || name === "f32_f16") as Row<"f16_f32" | "f32_f16">[];

export const rows: readonly Row<string & keyof VectorKernels>[] = [
  ...halves,
  ...(["i64_f32", "f32_i64", "i64_i32", "i32_i64", "i32_f32", "f32_i32", "u8_f32", "i8_f32", "f32_bool"] as const).map(cast),
];
