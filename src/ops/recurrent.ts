/** Recurrent layers. */
import { recurrent } from "./layer.ts";

export const GRU = recurrent(1);
export const LSTM = recurrent(2);
export const RNN = recurrent(1);
