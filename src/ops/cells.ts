/** Steps of recurrent layers: https://onnx.ai/onnx/operators/onnx__LSTM.html, onnx__GRU.html, onnx__RNN.html */
import type { Node } from "../graph/graph.ts";
import { ACTIVATIONS } from "./activation.ts";
import { int, numbers, texts } from "./op.ts";

export interface Step {
  batch: number;
  hidden: number;
  /** [batch, gates · hidden]: what comes of the input, and of the last state, each with its bias. */
  input: Float64Array;
  last: Float64Array;
  /** States [batch, hidden], which are replaced. */
  h: Float64Array;
  c: Float64Array;
  /** Peepholes of the gates i, o and f. */
  peepholes: ArrayLike<number> | undefined;
  activations: readonly ((x: number) => number)[];
  /** What comes of other rows [batch, hidden] in one gate, with its bias. */
  again(rows: Float64Array, gate: number): Float64Array;
}

export interface Cell {
  gates: number;
  states: 1 | 2;
  activations: readonly (keyof typeof ACTIVATIONS)[];
  step(step: Step, node: Node): void;
}

/** Gates i, o, f and c. */
const lstm: Cell["step"] = ({ batch, hidden, input, last, h, c, peepholes, activations }, node) => {
  const [f, g, out] = activations as ((x: number) => number)[] as [(x: number) => number, (x: number) => number, (x: number) => number];
  const isCoupled = int(node, "input_forget", 0) !== 0;
  for (let i = 0; i < batch * hidden; i++) {
    const j = i % hidden;
    const first = (i - j) * 4 + j;
    const gate = (k: number) => (input[first + k * hidden] as number) + (last[first + k * hidden] as number);
    const peep = (k: number, cell: number) => gate(k) + (peepholes ? (peepholes[k * hidden + j] as number) * cell : 0);
    const before = c[i] as number;
    const opened = f(peep(0, before));
    const kept = isCoupled ? 1 - opened : f(peep(2, before));
    const cell = kept * before + opened * g(gate(3));
    c[i] = cell;
    h[i] = f(peep(1, cell)) * out(cell);
  }
};

/** Gates z, r and h. */
const gru: Cell["step"] = ({ batch, hidden, input, last, h, activations, again }, node) => {
  const [f, g] = activations as [(x: number) => number, (x: number) => number];
  const gate = (i: number, k: number) => (i - (i % hidden)) * 3 + k * hidden + (i % hidden);
  const both = (i: number, k: number) => f((input[gate(i, k)] as number) + (last[gate(i, k)] as number));
  const reset = h.map((_, i) => both(i, 1));
  const isLinear = int(node, "linear_before_reset", 0) !== 0;
  const rest = isLinear
    ? undefined
    : again(
        h.map((x, i) => x * (reset[i] as number)),
        2,
      );
  for (let i = 0; i < batch * hidden; i++) {
    const recurrent = rest ? (rest[i] as number) : (reset[i] as number) * (last[gate(i, 2)] as number);
    const update = both(i, 0);
    h[i] = (1 - update) * g((input[gate(i, 2)] as number) + recurrent) + update * (h[i] as number);
  }
};

const rnn: Cell["step"] = ({ input, last, h, activations: [f] }) => {
  for (let i = 0; i < h.length; i++) h[i] = (f as (x: number) => number)((input[i] as number) + (last[i] as number));
};

export const LSTM_CELL: Cell = { gates: 4, states: 2, activations: ["Sigmoid", "Tanh", "Tanh"], step: lstm };
export const GRU_CELL: Cell = { gates: 3, states: 1, activations: ["Sigmoid", "Tanh"], step: gru };
export const RNN_CELL: Cell = { gates: 1, states: 1, activations: ["Tanh"], step: rnn };

/** Functions that take parameters from the lists of the node: alpha, or alpha and beta. */
const WITH_ALPHA = /^(Affine|LeakyRelu|ThresholdedRelu|ScaledTanh|HardSigmoid|Elu)$/;
const WITH_BETA = /^(Affine|ScaledTanh|HardSigmoid)$/;

/** The functions of each direction, behind the node's clip; undefined where one is not known. */
export function activationsOf(node: Node, { activations }: Cell, directions: number): ((x: number) => number)[][] | undefined {
  const names = texts(node, "activations") ?? Array.from({ length: directions }, () => activations).flat();
  const [alphas, betas] = ["activation_alpha", "activation_beta"].map((name) => [...(numbers(node, name) ?? [])]) as [number[], number[]];
  const clip = int(node, "clip", Number.POSITIVE_INFINITY);
  const found = names.map((name, i) => {
    const known = Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name as keyof typeof ACTIVATIONS] : undefined;
    const alpha = (WITH_ALPHA.test(name) ? alphas.shift() : undefined) ?? known?.alpha;
    const beta = (WITH_BETA.test(name) ? betas.shift() : undefined) ?? known?.beta;
    const f = known?.of(alpha as number, beta as number);
    // As onnxruntime has it, a cell's state is not clipped on its way out.
    return f && (i % activations.length === 2 ? f : (x: number) => f(Math.min(clip, Math.max(-clip, x))));
  });
  if (found.includes(undefined) || found.length !== directions * activations.length) return undefined;
  return Array.from(
    { length: directions },
    (_, d) => found.slice(d * activations.length, (d + 1) * activations.length) as ((x: number) => number)[],
  );
}
