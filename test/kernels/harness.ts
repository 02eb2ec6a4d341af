/** Calls kernels of either module on data between guards, and compares what they wrote with what their reference writes. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import type { Kernels, WasmModules } from "../../src/kernels/kernels.ts";
import { supportsRelaxed } from "../../src/kernels/relaxed.ts";
import type { Arg, Case, Data, Row } from "../../src/kernels/row.ts";

export const VARIANTS = ["simd", "relaxed"] as const;
export const relaxed = supportsRelaxed();
export const runnable = VARIANTS.filter((variant) => variant === "simd" || relaxed);

export const wasm = (name: string, variant: string): URL => new URL(`../../build/${name}.${variant}.wasm`, import.meta.url);

/** Both builds of a module of kernels. */
export async function compiled(name: "compress" | "infer"): Promise<Required<WasmModules>> {
  const [simd, relaxed] = await Promise.all(
    VARIANTS.map(async (variant) => {
      const path = wasm(name, variant);
      if (!existsSync(path)) throw new Error(`build/${name}.${variant}.wasm is missing: run \`npm run build\``);
      return WebAssembly.compile(await readFile(path));
    }),
  );
  return { simd: simd as WebAssembly.Module, relaxed: relaxed as WebAssembly.Module };
}

/** Bytes around every piece of data that a kernel must leave alone. */
const GUARD = 32;
const FILL = 0xa5;

const raw = (data: Data): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
const isData = (arg: Arg): arg is Exclude<Arg, number> => typeof arg !== "number";
const isCompared = (arg: Arg): boolean => isData(arg) && arg.written && !arg.scratch;

/** Gives data a place each; an argument that comes twice keeps its place. */
function place<P>(args: readonly Arg[], make: (arg: Exclude<Arg, number>) => P): (number | P)[] {
  const places = new Map<Arg, P>();
  return args.map((arg) => {
    if (!isData(arg)) return arg;
    const found = places.get(arg) ?? make(arg);
    places.set(arg, found);
    return found;
  });
}

/** Calls a kernel with its data at `offset` bytes past a multiple of 16; returns what it returned and the bytes it wrote, in order. */
export function call<F>(
  kernels: Kernels<F>,
  name: string & keyof F,
  args: readonly Arg[],
  offset: number,
): { returned: unknown; written: Uint8Array[] } {
  const { arena } = kernels;
  const mark = arena.mark();
  const addresses = place(args, ({ data }) => arena.alloc(data.byteLength + 2 * GUARD + offset) + GUARD + offset);
  const before = args.map((arg, i) => {
    if (!isData(arg)) return undefined;
    const { byteLength } = arg.data;
    const around = arena.u8(addresses[i]! - GUARD, byteLength + 2 * GUARD);
    around.fill(FILL);
    around.set(raw(arg.data), GUARD);
    return around.slice();
  });
  const returned = (kernels.fn[name] as (...args: number[]) => unknown)(...addresses);
  const written: Uint8Array[] = [];
  for (const [i, arg] of args.entries()) {
    if (!isData(arg)) continue;
    const { byteLength } = arg.data;
    const around = arena.u8(addresses[i]! - GUARD, byteLength + 2 * GUARD);
    const kept = around.slice();
    if (arg.written) {
      if (!arg.scratch) written.push(kept.slice(GUARD, GUARD + byteLength));
      kept.set(raw(arg.data), GUARD);
    }
    if (Buffer.compare(kept, before[i]!) !== 0) throw new Error(`${name} wrote outside of its output`);
  }
  arena.reset(mark);
  return { returned, written };
}

export function expected(row: Row, args: readonly Arg[]): { returned: unknown; written: Data[] } {
  const own = place(args, ({ data }) => data.slice());
  const returned = (row.reference as (...args: unknown[]) => unknown)(...own);
  return { returned, written: own.filter((_, i) => isCompared(args[i]!)) as Data[] };
}

export function check(row: Row, { label, args }: Case, want: ReturnType<typeof expected>, got: ReturnType<typeof call>): void {
  if (!Object.is(got.returned, want.returned)) expect.fail(`${label}: returned ${got.returned}, not ${want.returned}`);
  for (const [i, data] of want.written.entries()) {
    const bytes = got.written[i]!;
    if (Buffer.compare(bytes, raw(data)) === 0) continue;
    const values = new (data.constructor as new (buffer: ArrayBuffer) => Data)(bytes.buffer as ArrayBuffer);
    for (let j = 0; j < data.length; j++) {
      const [a, b] = [values[j]!, data[j]!];
      if (isNear(Number(a), Number(b), row)) continue;
      if (Object.is(a, b)) continue;
      expect.fail(`${label}: output ${i} has ${a} at ${j}, not ${b}; inputs ${describeInputs(args, j)}`);
    }
  }
}

const describeInputs = (args: readonly Arg[], at: number): string =>
  args.map((arg) => (isData(arg) ? (arg.written ? "…" : `[…${arg.data.subarray(Math.max(0, at - 1), at + 2)}…]`) : arg)).join(", ");

const isNear = (a: number, b: number, { tolerance = 0, absolute = 0 }: Row): boolean =>
  Number.isFinite(b) && Math.abs(a - b) <= tolerance * Math.abs(b) + absolute;
