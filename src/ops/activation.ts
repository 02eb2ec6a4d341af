/** Functions between the layers of a network, in double precision. */

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** The series 2/√π · e^(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (2n + 1)!!, whose terms have one sign; beyond 6 a double knows but ±1. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let [term, sum] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) sum += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

export const gelu = (x: number): number => 0.5 * x * (1 + erf(x * Math.SQRT1_2));
export const geluTanh = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
const softplus = (x: number): number => (x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x)));
const clamp = (x: number): number => Math.min(1, Math.max(0, x));

interface Activation {
  /** What the parameters are where a node does not say. */
  alpha: number;
  beta: number;
  of(alpha: number, beta: number): (x: number) => number;
}

const plain = (f: (x: number) => number): Activation => ({ alpha: 0, beta: 0, of: () => f });

/** By their ONNX names: those of operators, and those that recurrent layers and fused operators name. */
export const ACTIVATIONS = {
  Affine: { alpha: 1, beta: 0, of: (alpha, beta) => (x) => alpha * x + beta },
  Celu: { alpha: 1, beta: 0, of: (alpha) => (x) => (x > 0 ? x : alpha * Math.expm1(x / alpha)) },
  Clip: {
    alpha: Number.NEGATIVE_INFINITY,
    beta: Number.POSITIVE_INFINITY,
    of: (low, high) => (x) => Math.min(high, Math.max(low, x)),
  },
  Elu: { alpha: 1, beta: 0, of: (alpha) => (x) => (x < 0 ? alpha * Math.expm1(x) : x) },
  Gelu: plain(gelu),
  HardSigmoid: { alpha: 0.2, beta: 0.5, of: (alpha, beta) => (x) => clamp(alpha * x + beta) },
  HardSwish: plain((x) => x * clamp(x / 6 + 0.5)),
  LeakyRelu: { alpha: 0.01, beta: 0, of: (alpha) => (x) => (x < 0 ? alpha * x : x) },
  Mish: plain((x) => x * Math.tanh(softplus(x))),
  Relu: plain((x) => Math.max(0, x)),
  ScaledTanh: { alpha: 1, beta: 1, of: (alpha, beta) => (x) => alpha * Math.tanh(beta * x) },
  Selu: { alpha: 1.6732631921768188, beta: 1.0507010221481323, of: (alpha, gamma) => (x) => gamma * (x > 0 ? x : alpha * Math.expm1(x)) },
  Sigmoid: plain(sigmoid),
  Softplus: plain(softplus),
  Softsign: plain((x) => x / (1 + Math.abs(x))),
  Swish: { alpha: 1, beta: 0, of: (alpha) => (x) => x * sigmoid(alpha * x) },
  Tanh: plain(Math.tanh),
  ThresholdedRelu: { alpha: 1, beta: 0, of: (alpha) => (x) => (x > alpha ? x : 0) },
} satisfies Record<string, Activation>;
