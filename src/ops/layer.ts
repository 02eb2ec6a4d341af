/** Recurrent layers, whatever their weights. */
import type { Tensor } from "../tensor.ts";
import { activationsOf, type Cell } from "./cells.ts";
import { type Compute, ofTensors, roomFor, stored } from "./compute.ts";
import { numbersOf } from "./elements.ts";
import { int, type Op, text } from "./op.ts";
import { multiplied, turned, type View, view } from "./product.ts";
import type { Dim } from "./value.ts";

/**
 * A recurrent layer over x[length, batch, input], or with `layout` 1 the batch first. Its outputs are Y and the last of each of its states;
 * `hiddenAxis` of the recurrence weights is as long as a state.
 * https://onnx.ai/onnx/operators/onnx__LSTM.html
 */
export const recurrent = (states: number, hiddenAxis = 2): Op => ({
  infer(node, [x, , r], context) {
    const directions = text(node, "direction", "forward") === "bidirectional" ? 2 : 1;
    const last = r?.shape?.length === 3 ? r.shape[hiddenAxis] : undefined;
    const hidden: Dim = node.attributes.hidden_size === undefined ? (last ?? context.symbol()) : int(node, "hidden_size", 0);
    const isBatchFirst = int(node, "layout", 0) === 1;
    const [first, second] = x?.shape?.length === 3 ? x.shape : [];
    const length = (isBatchFirst ? second : first) ?? context.symbol();
    const batch = (isBatchFirst ? first : second) ?? context.symbol();
    const y = isBatchFirst ? [batch, length, directions, hidden] : [length, directions, batch, hidden];
    const state = isBatchFirst ? [batch, directions, hidden] : [directions, batch, hidden];
    return [y, ...Array.from({ length: states }, () => state)].map((shape) => ({ dtype: x?.dtype, shape }));
  },
});

/** Rows [count, K] times the weights of a direction, from one column of the gates to another. */
export type Product = (rows: Float64Array, direction: number, from: number, to: number) => Float64Array | undefined;

/** Weights [directions, gates · hidden, K] in float. */
function floatProduct(w: Tensor | undefined): Product | undefined {
  const data = w && numbersOf(w);
  const [, columns = 0, k = 0] = w?.shape ?? [];
  if (!data || w.shape.length !== 3) return undefined;
  return (rows, direction, from, to) => {
    const part = data.subarray((direction * columns + from) * k, (direction * columns + to) * k);
    return rowsTimes(rows, k, turned(view([to - from, k], part)));
  };
}

export const rowsTimes = (rows: Float64Array, k: number, weights: View): Float64Array | undefined =>
  multiplied(view([rows.length / Math.max(1, k), k], rows), weights)?.data as Float64Array | undefined;

/** How a layer's weights multiply; `inputs` are the node's. */
type Products = (inputs: readonly (Tensor | undefined)[]) => readonly [Product | undefined, Product | undefined];
const floats: Products = ([, w, r]) => [floatProduct(w), floatProduct(r)];

/** Inputs x, W, R, B, sequence lengths, and the states before: h, and of an LSTM c and its peepholes. */
export const computeLayer = (cell: Cell, products: Products = floats): Compute =>
  ofTensors((node, inputs, { outputs }) => {
    const [x, , , b, lens, h0, c0, p] = inputs;
    const [xs, bias, initial, cells, peepholes] = [x, b, h0, c0, p].map((tensor) => tensor && numbersOf(tensor));
    const shape = outputs[0]?.shape;
    const isBatchFirst = int(node, "layout", 0) === 1;
    const [length = 0, batch = 0] = isBatchFirst ? [x?.shape[1], x?.shape[0]] : (x?.shape ?? []);
    const [directions = 0, hidden = 0] = shape ? [shape[isBatchFirst ? 2 : 1], shape[3]] : [];
    const [inputProduct, lastProduct] = products(inputs);
    const functions = activationsOf(node, cell, directions);
    const y = roomFor(shape);
    const width = cell.gates * hidden;
    if (!x || !xs || !y || !functions || !inputProduct || !lastProduct || x.shape.length !== 3) return undefined;
    const size = x.shape[2] as number;
    const states = [initial, cells].map((given) => given ?? new Float64Array(directions * batch * hidden));
    const lengths = lens ? Array.from(lens.data as ArrayLike<number | bigint>, Number) : new Array<number>(batch).fill(length);
    const isWell = lengths.length === batch && lengths.every((n) => n >= 0 && n <= length);
    if (!isWell || states.some((state) => state.length !== directions * batch * hidden)) return undefined;
    if ((bias && bias.length !== directions * 2 * width) || (peepholes && peepholes.length !== directions * 3 * hidden)) return undefined;
    const finals = states.slice(0, cell.states).map(() => new Float64Array(directions * batch * hidden));

    for (let d = 0; d < directions; d++) {
      const isReverse = d === 1 || text(node, "direction", "forward") === "reverse";
      /** Where in time a sequence is at a step. */
      const timeOf = (step: number, row: number) => (isReverse ? (lengths[row] as number) - 1 - step : step);
      const rows = new Float64Array(length * batch * size);
      for (let step = 0; step < length; step++) {
        for (let row = 0; row < batch; row++) {
          const time = timeOf(step, row);
          if (step >= (lengths[row] as number)) continue;
          const at = (isBatchFirst ? row * length + time : time * batch + row) * size;
          rows.set(xs.subarray(at, at + size), (step * batch + row) * size);
        }
      }
      const biased = (sums: Float64Array | undefined, from: number) =>
        sums && bias ? sums.map((sum, i) => sum + (bias[d * 2 * width + from + (i % width)] as number)) : sums;
      const all = biased(inputProduct(rows, d, 0, width), 0);
      if (all?.length !== length * batch * width) return undefined;
      const at = (row: number) => (isBatchFirst ? row * directions + d : d * batch + row) * hidden;
      const [h, c] = states.map((state) => {
        const own = new Float64Array(batch * hidden);
        for (let row = 0; row < batch; row++) own.set(state.subarray(at(row), at(row) + hidden), row * hidden);
        return own;
      }) as [Float64Array, Float64Array];
      for (let step = 0; step < length; step++) {
        const last = biased(lastProduct(h, d, 0, width), width);
        if (last?.length !== batch * width) return undefined;
        const before = [h.slice(), c.slice()] as const;
        cell.step(
          {
            ...{ batch, hidden, h, c, last, activations: functions[d] as ((x: number) => number)[] },
            input: all.subarray(step * batch * width, (step + 1) * batch * width),
            peepholes: peepholes?.subarray(d * 3 * hidden, (d + 1) * 3 * hidden),
            again(other, gate) {
              const sums = lastProduct(other, d, gate * hidden, (gate + 1) * hidden) as Float64Array;
              return sums.map((sum, i) => sum + (bias?.[(d * 2 + 1) * width + gate * hidden + (i % hidden)] ?? 0));
            },
          },
          node,
        );
        for (let row = 0; row < batch; row++) {
          const [from, to] = [row * hidden, (row + 1) * hidden];
          if (step >= (lengths[row] as number)) {
            h.set(before[0].subarray(from, to), from);
            c.set(before[1].subarray(from, to), from);
            continue;
          }
          const time = timeOf(step, row);
          const place = isBatchFirst ? (row * length + time) * directions + d : (time * directions + d) * batch + row;
          y.set(h.subarray(from, to), place * hidden);
        }
      }
      for (let row = 0; row < batch; row++)
        finals.forEach((final, i) => {
          final.set((i === 0 ? h : c).subarray(row * hidden, (row + 1) * hidden), at(row));
        });
    }
    const ends = finals.map((final, i) => stored(x.dtype, outputs[i + 1]?.shape ?? [], final));
    const result = stored(x.dtype, shape as number[], y);
    return result && [result, ...ends];
  });
