/** Recurrent layers, float32, with constant weights that are packed. https://onnx.ai/onnx/operators/onnx__LSTM.html */
import { int, text } from "../../ops/op.ts";
import { integersOf } from "../../ops/value.ts";
import { elements } from "../../tensor.ts";
import type { Operand } from "../operand.ts";
import type { Call, Lower } from "./lower.ts";
import { packedBytes } from "./products.ts";

/** As `f32_activate` numbers it. */
const TANH = 10;

/** One direction's step for `rows` rows: addresses of the products of x, of the state before and of that after. */
interface Step {
  rows: number;
  x: number;
  before: number;
  after: number;
}

/** What one direction has: addresses of its recurrence weights, its biases (0 where it has none), peepholes and cells. */
interface Direction {
  weights: number;
  bias: number;
  peephole: number;
  cell: number;
}

type Cell = (call: Call, batch: number, hidden: number) => (direction: Direction, step: Step) => void;

/** The product of a state [rows, hidden] and part of the weights, with what is added. */
function productOf({ fn, work }: Call, hidden: number) {
  return (rows: number, n: number, a: number, weights: number, y: number, ldy: number, bias: number, z: number, kind = 0) =>
    fn.f32_gemm(rows, n, hidden, a, hidden, weights, 0, y, ldy, bias, z, ldy, 1, kind, 0, 0, work);
}

/** A layer whose cell has so many gates. Sequences of different lengths go one by one. */
const layer =
  (gates: number, cellOf: Cell): Lower =>
  (call) => {
    const { inputs, outputs, node, fn, work, temporary } = call;
    const [x, w, r, b, lens, h0, c0, p] = inputs;
    const [y, last, lastCell] = outputs;
    if (!x || !w || !r || (lens && !lens.constant)) return undefined;
    const [length, batch, size] = x.shape as [number, number, number];
    const [directions, , hidden] = r.shape as [number, number, number];
    const width = gates * hidden;
    const isOf = (operand: Operand | undefined, ...shape: number[]) => !operand || operand.shape.join() === shape.join();
    const states = [h0, c0].every((each) => isOf(each, directions, batch, hidden));
    if (!states || !isOf(b, directions, 2 * width) || !isOf(p, directions, 3 * hidden) || size !== w.shape[2]) return undefined;
    const lengths = lens?.constant ? (integersOf({ constant: lens.constant }) ?? []) : new Array<number>(batch).fill(length);
    if (lengths.length !== batch || lengths.some((n) => n < 0 || n > length)) return undefined;
    const isEven = lengths.every((n) => n === length);
    const state = batch * hidden * 4;
    const products = temporary(length * batch * width * 4);
    const [zeros, one, other, cells] = [temporary(state), temporary(state), temporary(state), temporary(state)];
    const run = cellOf(call, batch, hidden);

    const sequence = (d: number, isReverse: boolean, first: number, rows: number, steps: number): void => {
      const at = first * hidden * 4;
      const bytes = rows * hidden * 4;
      const direction: Direction = {
        weights: r.address + d * packedRecurrence(gates, hidden),
        bias: b ? b.address + (2 * d + 1) * width * 4 : 0,
        peephole: p ? p.address + d * 3 * hidden * 4 : 0,
        cell: (lastCell ? lastCell.address + d * state : cells) + at,
      };
      if (c0) fn.copy_2d(1, bytes, c0.address + d * state + at, bytes, direction.cell, bytes);
      else fn.f32_fill(rows * hidden, direction.cell, 0);
      let before = (h0 ? h0.address + d * state : zeros) + at;
      for (let step = 0; step < steps; step++) {
        const time = isReverse ? steps - 1 - step : step;
        const after = (y ? y.address + (time * directions + d) * state : step % 2 ? other : one) + at;
        run(direction, { rows, x: products + (time * batch + first) * width * 4, before, after });
        before = after;
      }
      if (last) fn.copy_2d(1, bytes, before, bytes, last.address + d * state + at, bytes);
    };
    return () => {
      fn.f32_fill(batch * hidden, zeros, 0);
      if (y && !isEven) fn.f32_fill(elements(y.shape), y.address, 0);
      for (let d = 0; d < directions; d++) {
        const weights = w.address + d * packedBytes(size, width);
        const bias = b ? b.address + 2 * d * width * 4 : 0;
        fn.f32_gemm(length * batch, width, size, x.address, size, weights, 0, products, width, bias, 0, 0, 0, 0, 0, 0, work);
        const isReverse = d === 1 || text(node, "direction", "forward") === "reverse";
        if (isEven) sequence(d, isReverse, 0, batch, length);
        else for (const [row, steps] of lengths.entries()) sequence(d, isReverse, row, 1, steps);
      }
    };
  };

/** Bytes of one direction's packed recurrence weights: the last of three gates stands apart. */
export const packedRecurrence = (gates: number, hidden: number): number =>
  gates === 3 ? packedBytes(hidden, 2 * hidden) + packedBytes(hidden, hidden) : packedBytes(hidden, gates * hidden);

export const LSTM = layer(4, (call, batch, hidden) => {
  const sums = call.temporary(batch * 4 * hidden * 4);
  const product = productOf(call, hidden);
  return ({ weights, bias, peephole, cell }, { rows, x, before, after }) => {
    product(rows, 4 * hidden, before, weights, sums, 4 * hidden, bias, x);
    for (let row = 0; row < rows; row++) {
      const at = row * hidden * 4;
      call.fn.f32_lstm_cell(hidden, sums + 4 * at, peephole, cell + at, after + at);
    }
  };
});

export const GRU = layer(3, (call, batch, hidden) => {
  const { fn, node, temporary } = call;
  const [sums, rest] = [temporary(batch * 3 * hidden * 4), temporary(batch * hidden * 4)];
  const product = productOf(call, hidden);
  const isLinear = int(node, "linear_before_reset", 0) !== 0;
  const [bytes, line] = [hidden * 4, 3 * hidden * 4];
  return ({ weights, bias }, { rows, x, before, after }) => {
    const [lastWeights, lastBias] = [weights + packedBytes(hidden, 2 * hidden), bias && bias + 2 * bytes];
    product(rows, 2 * hidden, before, weights, sums, 3 * hidden, bias, x);
    if (isLinear) {
      product(rows, hidden, before, lastWeights, rest, hidden, lastBias, 0);
      fn.copy_2d(rows, bytes, x + 2 * bytes, line, sums + 2 * bytes, line);
    } else {
      for (let row = 0; row < rows; row++) fn.f32_gru_reset(hidden, sums + row * line + bytes, before + row * bytes, rest + row * bytes);
      product(rows, hidden, rest, lastWeights, sums + 2 * bytes, 3 * hidden, lastBias, x + 2 * bytes);
    }
    for (let row = 0; row < rows; row++) {
      const at = row * bytes;
      fn.f32_gru_cell(hidden, sums + row * line, isLinear ? rest + at : 0, before + at, after + at);
    }
  };
});

export const RNN = layer(1, (call, _batch, hidden) => {
  const product = productOf(call, hidden);
  return ({ weights, bias }, { rows, x, before, after }) => product(rows, hidden, before, weights, after, hidden, bias, x, TANH);
});
