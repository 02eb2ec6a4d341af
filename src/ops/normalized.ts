/** Statistics of lines of elements, in double precision. */

/** Mean and deviation of a line. */
export function standardized(line: ArrayLike<number>, epsilon: number): { mean: number; deviation: number } {
  let [sum, squares] = [0, 0];
  for (let i = 0; i < line.length; i++) sum += line[i] as number;
  const mean = sum / line.length;
  for (let i = 0; i < line.length; i++) squares += ((line[i] as number) - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / line.length + epsilon) };
}

export interface Normalized {
  data: Float64Array;
  /** Of each line. */
  means: Float64Array;
  inverses: Float64Array;
}

/**
 * Lines less their mean, where `isCentered`, over their deviation, or the root of their mean square. `scaled` is told each value, its line
 * and its place on it.
 */
export function normalized(
  data: ArrayLike<number>,
  { starts, within }: { starts: Int32Array; within: Int32Array },
  epsilon: number,
  isCentered: boolean,
  scaled: (value: number, line: number, place: number) => number,
): Normalized {
  const y = new Float64Array(data.length);
  const [means, inverses] = [new Float64Array(starts.length), new Float64Array(starts.length)];
  const line = new Float64Array(within.length);
  starts.forEach((start, k) => {
    for (let i = 0; i < line.length; i++) line[i] = data[start + (within[i] as number)] as number;
    const { mean, deviation } = isCentered
      ? standardized(line, epsilon)
      : { mean: 0, deviation: Math.sqrt(line.reduce((n, x) => n + x * x, 0) / line.length + epsilon) };
    means[k] = mean;
    inverses[k] = 1 / deviation;
    for (let i = 0; i < line.length; i++) y[start + (within[i] as number)] = scaled(((line[i] as number) - mean) / deviation, k, i);
  });
  return { data: y, means, inverses };
}
