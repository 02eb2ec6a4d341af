import { elements } from "../tensor.ts";
import { type Compute, ofTensors, one, roomFor, stored } from "./compute.ts";
import { numbersOf } from "./elements.ts";
import { int, numbers } from "./op.ts";
import { triangle } from "./resample.ts";
import { windowOf } from "./window.ts";

/**
 * A convolution of x[N, C, H, W] whose taps are moved: offset[N, groups · taps · 2, …] says how far down and to the right, mask how much of
 * each counts. https://onnx.ai/onnx/operators/onnx__DeformConv.html
 */
export const deformed: Compute = ofTensors((node, [x, w, offset, b, mask], { outputs: [told] }) => {
  const [data, weights, moves, bias, kept] = [x, w, offset, b, mask].map((tensor) => tensor && numbersOf(tensor));
  const shape = told?.shape;
  const y = roomFor(shape);
  const [group, shared] = [int(node, "group", 1), int(node, "offset_group", 1)];
  const [n = 0, channels = 0, ...dims] = x?.shape ?? [];
  const [m = 0, depth = 0, ...kernel] = w?.shape ?? [];
  const [taps, places] = [elements(kernel), elements(shape?.slice(2) ?? [])];
  const window = shape && windowOf(node, dims, shape.slice(2), kernel);
  if (!data || !weights || !moves || !y || !window || dims.length !== 2 || depth * group !== channels || !(group >= 1) || m % group !== 0)
    return undefined;
  if (!(shared >= 1) || channels % shared !== 0 || (numbers(node, "kernel_shape") ?? kernel).join() !== kernel.join()) return undefined;
  if (moves.length !== n * shared * taps * 2 * places || (b && bias?.length !== m) || (mask && kept?.length !== n * shared * taps * places))
    return undefined;
  const [height, width, columns, across] = [dims[0], dims[1], shape[3], kernel[1]] as [number, number, number, number];
  const [[down = 1, right = 1], [top = 0, left = 0], [tall = 1, wide = 1]] = [window.strides, window.before, window.dilations];
  const samples = new Float64Array(channels * taps);
  for (let i = 0; i < n * places; i++) {
    const [image, place] = [Math.floor(i / places), i % places];
    for (let c = 0; c < channels; c++) {
      for (let tap = 0; tap < taps; tap++) {
        const at = (image * shared + Math.floor(c / (channels / shared))) * taps + tap;
        const row = Math.floor(place / columns) * down - top + Math.floor(tap / across) * tall + (moves[2 * at * places + place] as number);
        const column = (place % columns) * right - left + (tap % across) * wide + (moves[(2 * at + 1) * places + place] as number);
        let sum = 0;
        for (let h = Math.max(0, Math.floor(row)); h <= Math.min(height - 1, Math.floor(row) + 1); h++)
          for (let v = Math.max(0, Math.floor(column)); v <= Math.min(width - 1, Math.floor(column) + 1); v++)
            sum += triangle(row - h) * triangle(column - v) * (data[((image * channels + c) * height + h) * width + v] as number);
        samples[c * taps + tap] = sum * (kept?.[at * places + place] ?? 1);
      }
    }
    for (let channel = 0; channel < m; channel++) {
      const first = Math.floor(channel / (m / group)) * depth * taps;
      let sum = bias?.[channel] ?? 0;
      for (let k = 0; k < depth * taps; k++) sum += (samples[first + k] as number) * (weights[channel * depth * taps + k] as number);
      y[(image * m + channel) * places + place] = sum;
    }
  }
  return one(stored(x?.dtype, shape, y));
});
