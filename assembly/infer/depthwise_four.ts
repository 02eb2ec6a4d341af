import { five_by_1, five_by_2 } from "./depthwise_five";
import { three_by_1, three_by_2 } from "./depthwise_three";

/** Whether {@link four} knows the taps of a kernel row and the stride; `c` counts channels. */
// @ts-ignore: decorator
@inline
export function knows_four(c: i32, kw: i32, sw: i32, dw: i32): bool {
  return dw == 1 && (kw == 3 || kw == 5) && (sw == 1 || sw == 2) && c >= 8;
}

/**
 * Four neighbouring pixels at once, so that what they share is loaded once: `c` channels less those that do not fill a vector, `rows` rows of
 * `kw` taps. `line` and `pixel` are bytes from row to row and from pixel to pixel in the image, `next` those from pixel to pixel in the output,
 * `taps` the weights of a channel, some of which may be skipped. Eight sums run side by side, as each waits for itself: of eight channels, or
 * where the weights of those would not fit the registers, of even and odd rows.
 */
export function four(
  c: i32,
  rows: i32,
  kw: i32,
  sw: i32,
  x: usize,
  line: usize,
  pixel: usize,
  w: usize,
  taps: usize,
  bias: usize,
  y: usize,
  next: usize,
): void {
  const whole = c & ~3;
  if (kw == 3 && sw == 1) three_by_1(whole, rows, x, line, pixel, w, taps, bias, y, next);
  else if (kw == 3) three_by_2(whole, rows, x, line, pixel, w, taps, bias, y, next);
  else if (sw == 1) five_by_1(whole, rows, x, line, pixel, w, taps, bias, y, next);
  else five_by_2(whole, rows, x, line, pixel, w, taps, bias, y, next);
}
