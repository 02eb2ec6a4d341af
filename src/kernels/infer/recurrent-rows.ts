import { type Arg, type Case, input, output, type Row, random } from "../row.ts";
import { activation } from "./activation-reference.ts";
import type { VectorKernels } from "./vector.ts";

const COUNTS = [0, 1, 3, 4, 5, 7, 8, 17];

const floats = (n: number, seed: number): Float32Array => {
  const next = random(seed);
  return Float32Array.from({ length: n }, () => next() * 6 - 3);
};
const blank = (n: number): Arg => output(new Float32Array(n).fill(85));
const sigmoid = (x: number): number => activation(x, 3, 0, 0);

type Maybe = Float32Array | 0;

function lstm(n: number, gates: Float32Array, peephole: Maybe, cell: Float32Array, hidden: Float32Array): void {
  for (let j = 0; j < n; j++) {
    const [i, o, f, c] = [0, 1, 2, 3].map((gate) => gates[gate * n + j]!) as [number, number, number, number];
    const [pi, po, pf] = [0, 1, 2].map((gate) => (peephole ? peephole[gate * n + j]! : 0)) as [number, number, number];
    const state = sigmoid(f + pf * cell[j]!) * cell[j]! + sigmoid(i + pi * cell[j]!) * Math.tanh(c);
    hidden[j] = sigmoid(o + po * state) * Math.tanh(state);
    cell[j] = state;
  }
}

function gruReset(n: number, gate: Float32Array, hidden: Float32Array, y: Float32Array): void {
  for (let j = 0; j < n; j++) y[j] = sigmoid(gate[j]!) * hidden[j]!;
}

function gru(n: number, gates: Float32Array, candidate: Maybe, hidden: Float32Array, y: Float32Array): void {
  for (let j = 0; j < n; j++) {
    const z = sigmoid(gates[j]!);
    const h = Math.tanh(gates[2 * n + j]! + (candidate ? sigmoid(gates[n + j]!) * candidate[j]! : 0));
    y[j] = (1 - z) * h + z * hidden[j]!;
  }
}

/** `f` of every count, with and without what may be left out. */
const each = (f: (n: number, optional: boolean) => readonly Arg[]) =>
  function* (): Iterable<Case> {
    for (const n of COUNTS) for (const optional of [false, true]) yield { label: `${n} ${optional}`, args: f(n, optional) };
  };

const lstmArgs = (n: number, peephole: boolean): Arg[] => {
  return [n, input(floats(4 * n, 1)), peephole ? input(floats(3 * n, 2)) : 0, output(floats(n, 3)), blank(n)];
};
const resetArgs = (n: number): Arg[] => [n, input(floats(n, 1)), input(floats(n, 2)), blank(n)];
const gruArgs = (n: number, linear: boolean): Arg[] => {
  return [n, input(floats(3 * n, 1)), linear ? input(floats(n, 2)) : 0, input(floats(n, 3)), blank(n)];
};

const error = { tolerance: 1e-6, absolute: 1e-6 };

export const rows: readonly Row<string & keyof VectorKernels>[] = [
  {
    name: "f32_lstm_cell",
    doc: "a step of an LSTM after its products",
    reference: lstm,
    cases: each(lstmArgs),
    ...error,
    bench: (n) => ({ args: lstmArgs(n / 4, false), bytes: n * 4 }),
  },
  {
    name: "f32_gru_reset",
    doc: "the reset of a GRU",
    reference: gruReset,
    cases: each(resetArgs),
    ...error,
    bench: (n) => ({ args: resetArgs(n), bytes: n * 4 }),
  },
  {
    name: "f32_gru_cell",
    doc: "a step of a GRU after its products",
    reference: gru,
    cases: each(gruArgs),
    ...error,
    bench: (n) => ({ args: gruArgs(n / 4, true), bytes: n * 4 }),
  },
];
