/** Bit patterns of the 16-bit floats, rounded to nearest, ties to even. */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

export function fromFloat16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** Of a float32. */
export function toFloat16(x: number): number {
  float[0] = x;
  const sign = ((bits[0] as number) >>> 16) & 0x8000;
  const size = Math.abs(x);
  if (Number.isNaN(x)) return sign | 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  // The step between neighbours, of which 2⁻²⁴ is the smallest.
  const exponent = Math.max(((bits[0] as number) >>> 23) & 255, 113) - 127;
  const steps = roundEven(size * 2 ** (10 - exponent));
  return sign | (((exponent + 14) << 10) + steps);
}

export function fromBfloat16(half: number): number {
  bits[0] = half << 16;
  return float[0] as number;
}

/** Of a float32. */
export function toBfloat16(x: number): number {
  if (Number.isNaN(x)) return 0x7fc0;
  float[0] = x;
  const whole = bits[0] as number;
  return (whole + 0x7fff + ((whole >>> 16) & 1)) >>> 16;
}

/** To the nearest integer, ties to the even one. */
export function roundEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  const nearest = rest < 0.5 ? floor : rest > 0.5 ? floor + 1 : floor % 2 === 0 ? floor : floor + 1;
  return nearest === 0 && (x < 0 || Object.is(x, -0)) ? -0 : nearest;
}
