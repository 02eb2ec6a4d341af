/** Spectra and windows. */
import { computed, unknownDims } from "./dims.ts";
import { axesOf, dtypeAttribute, int, type Op } from "./op.ts";
import { type Dim, type Dims, elementsOf, integerOf, integersOf } from "./value.ts";

/** Batches of frames: signal[batch, length, 1 or 2] → [batch, frames, bins, 2]. */
export const STFT: Op = {
  infer(node, [signal, step, window, length], context) {
    const frame = integersOf(length)?.[0] ?? window?.shape?.[0] ?? context.symbol();
    const stride = integersOf(step)?.[0];
    const whole = signal?.shape?.[1];
    const frames =
      whole !== undefined && stride
        ? computed(`frames/${stride}`, [whole, frame], context, (n, k) => Math.floor((n - k) / stride) + 1)
        : context.symbol();
    const isOneSided = int(node, "onesided", 1) !== 0;
    const bins = isOneSided ? computed("onesided", [frame], context, (n) => Math.floor(n / 2) + 1) : frame;
    const known = frames !== undefined && bins !== undefined;
    return [{ dtype: signal?.dtype, shape: known ? [signal?.shape?.[0] ?? context.symbol(), frames, bins, 2] : undefined }];
  },
};

/** The last axis holds real and imaginary parts; the axis of the transform is an attribute up to opset 19. */
export const DFT: Op = {
  infer(node, [x, length, axis], context) {
    const shape = x?.shape;
    const at = context.opset >= 20 ? (axis ? integersOf(axis)?.[0] : -2) : int(node, "axis", 1);
    const [counted] = (shape && at !== undefined && axesOf([at], shape.length)) || [];
    if (!shape || counted === undefined) return [{ dtype: x?.dtype, shape: shape && [...unknownDims(shape.length - 1, context), 2] }];
    const given = length ? (elementsOf(length)?.[0] ?? context.symbol()) : (shape[counted] as Dim);
    const isInverse = int(node, "inverse", 0) !== 0;
    const isOneSided = int(node, "onesided", 0) !== 0;
    const bins = isOneSided && !isInverse ? computed("onesided", [given], context, (n) => Math.floor(n / 2) + 1) : given;
    const dims = shape.map((d, i) => (i === counted ? bins : i === shape.length - 1 ? (isInverse && isOneSided ? 1 : 2) : d));
    return [{ dtype: x.dtype, shape: dims.includes(undefined) ? undefined : (dims as Dims) }];
  },
};

const window: Op = {
  infer: (node, [size], context) => [
    { dtype: dtypeAttribute(node, "output_datatype", "float32"), shape: [elementsOf(size)?.[0] ?? context.symbol()] },
  ],
};

export const BlackmanWindow = window;
export const HammingWindow = window;
export const HannWindow = window;

/** [bins of the spectrum, mel bins]. */
export const MelWeightMatrix: Op = {
  infer(node, [bins, length], context) {
    const spectrum = integerOf(length);
    const rows = spectrum === undefined ? context.symbol() : computed("mel", [spectrum], context, (n) => Math.floor(n / 2) + 1);
    const columns = elementsOf(bins)?.[0] ?? context.symbol();
    return [{ dtype: dtypeAttribute(node, "output_datatype", "float32"), shape: rows === undefined ? undefined : [rows, columns] }];
  },
};
