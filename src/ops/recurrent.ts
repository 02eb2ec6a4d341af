/** Recurrent layers. */
import { GRU_CELL, LSTM_CELL, RNN_CELL } from "./cells.ts";
import { computeLayer, recurrent } from "./layer.ts";
import type { Op } from "./op.ts";

export const GRU: Op = { ...recurrent(1), compute: computeLayer(GRU_CELL) };
export const LSTM: Op = { ...recurrent(2), compute: computeLayer(LSTM_CELL) };
export const RNN: Op = { ...recurrent(1), compute: computeLayer(RNN_CELL) };
