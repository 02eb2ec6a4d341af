import { madd } from "../lanes";
import { load_part, store_part } from "./lanes";
import { sigmoid, tanh } from "./math";

// The steps of recurrent cells that follow their products, with the default activations.

// @ts-ignore: decorator
@inline
function take(p: usize, n: i32): v128 {
  return n >= 4 ? v128.load(p) : load_part(p, n, f32x4.splat(0));
}

// @ts-ignore: decorator
@inline
function put(p: usize, v: v128, n: i32): void {
  if (n >= 4) v128.store(p, v);
  else store_part(p, v, n);
}

/** One step of `n` cells: gates in the order i, o, f, c. */
export function f32_lstm_cell(n: i32, gates: usize, peephole: usize, cell: usize, hidden: usize): void {
  const next = (<usize>n) << 2;
  for (; n > 0; n -= 4) {
    let i = take(gates, n);
    let o = take(gates + next, n);
    let f = take(gates + 2 * next, n);
    const g = take(gates + 3 * next, n);
    let c = take(cell, n);
    if (peephole) {
      i = madd(take(peephole, n), c, i);
      f = madd(take(peephole + 2 * next, n), c, f);
    }
    c = madd(sigmoid(f), c, f32x4.mul(sigmoid(i), tanh(g)));
    if (peephole) {
      o = madd(take(peephole + next, n), c, o);
      peephole += 16;
    }
    put(cell, c, n);
    put(hidden, f32x4.mul(sigmoid(o), tanh(c)), n);
    gates += 16;
    cell += 16;
    hidden += 16;
  }
}

/** What a GRU multiplies where the reset comes before the product: `sigmoid(gate) * hidden`. */
export function f32_gru_reset(n: i32, gate: usize, hidden: usize, y: usize): void {
  for (; n > 0; n -= 4) {
    put(y, f32x4.mul(sigmoid(take(gate, n)), take(hidden, n)), n);
    gate += 16;
    hidden += 16;
    y += 16;
  }
}

/** One step of `n` cells: gates in the order z, r, h. */
export function f32_gru_cell(n: i32, gates: usize, candidate: usize, hidden: usize, y: usize): void {
  const next = (<usize>n) << 2;
  for (; n > 0; n -= 4) {
    const z = sigmoid(take(gates, n));
    let g = take(gates + 2 * next, n);
    if (candidate) {
      g = madd(sigmoid(take(gates + next, n)), take(candidate, n), g);
      candidate += 16;
    }
    g = tanh(g);
    put(y, madd(z, f32x4.sub(take(hidden, n), g), g), n);
    gates += 16;
    hidden += 16;
    y += 16;
  }
}
