/** The activations that end a product, in double precision; numbers as `f32_activate` has them. */

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const hardSigmoid = (x: number, alpha: number, beta: number): number => Math.max(0, Math.min(1, alpha * x + beta));

/** The error function: its series, and further out its continued fraction. https://dlmf.nist.gov/7.6, https://dlmf.nist.gov/7.9 */
export function erf(x: number): number {
  const t = Math.abs(x);
  if (Number.isNaN(t) || t > 6) return Math.sign(x);
  if (t < 2.5) {
    let [sum, term] = [t, t];
    for (let n = 1; n < 100; n++) sum += (term *= (-t * t) / n) / (2 * n + 1);
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (t + fraction);
  return Math.sign(x) * (1 - Math.exp(-t * t) / Math.sqrt(Math.PI) / (t + fraction));
}

type Activation = (x: number, alpha: number, beta: number) => number;

/** https://onnx.ai/onnx/operators/ under each name; QuickGelu of com.microsoft. */
export const ACTIVATIONS: readonly (readonly [name: string, activation: Activation])[] = [
  ["none", (x) => x],
  ["Relu", (x) => Math.max(x, 0)],
  ["Clip", (x, low, high) => Math.min(Math.max(x, low), high)],
  ["Sigmoid", sigmoid],
  ["SiLU", (x) => x * sigmoid(x)],
  ["HardSigmoid", hardSigmoid],
  ["HardSwish", (x, alpha, beta) => x * hardSigmoid(x, alpha, beta)],
  ["LeakyRelu", (x, alpha) => (x < 0 ? alpha * x : x)],
  ["Gelu (erf)", (x) => (x / 2) * (1 + erf(x * Math.SQRT1_2))],
  ["Gelu (tanh)", (x) => x * sigmoid(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))],
  ["Tanh", Math.tanh],
  ["Elu", (x, alpha) => (x < 0 ? alpha * Math.expm1(x) : x)],
  ["Softplus", (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))],
  ["Mish", (x) => x * Math.tanh(Math.log1p(Math.exp(x)))],
  ["Exp", Math.exp],
  ["Erf", erf],
  ["QuickGelu", (x, alpha) => x * sigmoid(alpha * x)],
];

/** One of them by its number. */
export function activation(x: number, kind: number, alpha: number, beta: number): number {
  const found = ACTIVATIONS[kind];
  if (found === undefined) throw new RangeError(`No activation has the number ${kind}`);
  return found[1](x, alpha, beta);
}
