import { makeNode, type Node } from "../../graph/graph.ts";
import { ACTIVATIONS, erf, geluTanh } from "../../ops/activation.ts";
import { floatsOf } from "../../ops/value.ts";
import { Edits, type Model } from "../../optimize/model.ts";
import { either, find, made, number, type Pattern, value } from "./pattern.ts";

/** Activations of the kernels by name; the numbers are those of `f32_activate`. */
// biome-ignore format: a table
export const KINDS = {
  none: 0, Relu: 1, Clip: 2, Sigmoid: 3, SiLU: 4, HardSigmoid: 5, HardSwish: 6, LeakyRelu: 7, Gelu: 8, GeluTanh: 9, Tanh: 10, Elu: 11,
  Softplus: 12, Mish: 13, Exp: 14, Erf: 15, QuickGelu: 16,
} as const;

export interface Activation {
  kind: number;
  alpha: number;
  beta: number;
}

const of = (kind: keyof typeof KINDS, alpha = 0, beta = 0): Activation => ({ kind: KINDS[kind], alpha, beta });

const number0 = (node: Node, name: string, otherwise: number): number => {
  const given = node.attributes[name];
  return typeof given === "number" ? given : otherwise;
};

/** The bounds of a Clip: attributes up to opset 10, then inputs. Undefined where they are computed. */
function bounds(model: Model, node: Node): [number, number] | undefined {
  const limits = ["min", "max"].map((name, i) => {
    const input = node.input[i + 1];
    const otherwise = i === 0 ? -Infinity : Infinity;
    if (!input) return number0(node, name, otherwise);
    return floatsOf(model.inferred.get(input))?.[0];
  });
  return limits.includes(undefined) ? undefined : (limits as [number, number]);
}

/** What one operator is as an activation. */
function activationOf(model: Model, node: Node): Activation | undefined {
  const { op_type, domain } = node;
  const alpha = (otherwise: number) => number0(node, "alpha", otherwise);
  if (domain === "com.microsoft") {
    if (op_type === "Gelu") return of("Gelu");
    if (op_type === "QuickGelu") return of("QuickGelu", alpha(1.702));
    return op_type === "FastGelu" && node.input.filter(Boolean).length === 1 ? of("GeluTanh") : undefined;
  }
  if (domain !== "") return undefined;
  if (/^(Relu|Sigmoid|Tanh|Softplus|Mish|Exp|Erf)$/.test(op_type)) return of(op_type as "Relu");
  if (op_type === "LeakyRelu") return of("LeakyRelu", alpha(0.01));
  if (op_type === "Elu") return of("Elu", alpha(1));
  if (op_type === "HardSigmoid") return of("HardSigmoid", alpha(0.2), number0(node, "beta", 0.5));
  if (op_type === "HardSwish") return of("HardSwish", 1 / 6, 0.5);
  if (op_type === "Gelu") return of(node.attributes.approximate === "tanh" ? "GeluTanh" : "Gelu");
  if (op_type === "Swish") return alpha(1) === 1 ? of("SiLU") : undefined;
  const limits = op_type === "Clip" ? bounds(model, node) : undefined;
  return limits && of("Clip", ...limits);
}

const x = value("x");
const product = (...factors: [Pattern, Pattern, Pattern]): Pattern => {
  const [a, b, c] = factors;
  return either(made("Mul", made("Mul", a, b), c), made("Mul", made("Mul", a, c), b), made("Mul", made("Mul", b, c), a));
};
const onePlusErf = made("Add", made("Erf", either(made("Div", x, number(Math.SQRT2)), made("Mul", x, number(Math.SQRT1_2)))), number(1));
const gelu = either(product(x, onePlusErf, number(0.5)), made("Div", made("Mul", x, onePlusErf), number(2)));
const cubed = either(made("Pow", x, number(3)), made("Mul", made("Mul", x, x), x));
const inner = made("Mul", made("Add", x, made("Mul", cubed, number(0.044715))), number(Math.sqrt(2 / Math.PI)));
const spelledTanh = product(x, made("Add", made("Tanh", inner), number(1)), number(0.5));
/** A Clip of what `inner` finds, its bounds attributes or inputs. */
const clipped =
  (inner: Pattern, low: number, high: number): Pattern =>
  (model, name, found) => {
    const node = model.producer(name);
    const limits = node?.op_type === "Clip" && node.domain === "" ? bounds(model, node) : undefined;
    return limits?.[0] === low && limits[1] === high ? inner(model, node?.input[0] as string, found) : undefined;
  };
const relu6 = clipped(made("Add", x, number(3)), 0, 6);
const hardSwish = either(
  made("Div", made("Mul", x, relu6), number(6)),
  made("Mul", x, made("Div", relu6, number(6))),
  product(x, relu6, number(1 / 6)),
);
const quickGelu = made("Mul", x, made("Sigmoid", made("Mul", x, number("alpha"))));

/** What several operators together are. */
const COMPOSED: readonly (readonly [Pattern, (numbers: Readonly<Record<string, number>>) => Activation])[] = [
  [made("Mul", x, made("Sigmoid", x)), () => of("SiLU")],
  [quickGelu, ({ alpha = 0 }) => of("QuickGelu", alpha)],
  [hardSwish, () => of("HardSwish", 1 / 6, 0.5)],
  [gelu, () => of("Gelu")],
  [spelledTanh, () => of("GeluTanh")],
  [made("Mul", x, made("Tanh", made("Softplus", x))), () => of("Mish")],
];

/** x · HardSigmoid(x), whose slope and offset are attributes. */
function hardSigmoidProduct(model: Model, node: Node): [string, Activation] | undefined {
  if (node.op_type !== "Mul" || node.domain !== "") return undefined;
  for (const [i, name] of node.input.entries()) {
    const gate = model.producer(name);
    const other = node.input[1 - i] as string;
    if (gate?.op_type !== "HardSigmoid" || gate.domain !== "" || gate.input[0] !== other) continue;
    return [other, of("HardSwish", number0(gate, "alpha", 0.2), number0(gate, "beta", 0.5))];
  }
  return undefined;
}

/** Makes one operator of each activation, whether it was one or was spelled out. */
export function activations(model: Model): boolean {
  const edits = new Edits(model);
  for (const node of model.main.nodes) {
    const [y = ""] = node.output;
    if (model.inferred.get(y)?.dtype !== "float32") continue;
    const found = composed(model, node) ?? single(model, node);
    if (!found) continue;
    const [from, { kind, alpha, beta }] = found;
    edits.replace(node, [makeNode("Activate", [from], [y], { kind, alpha, beta }, "edgeslim")]);
  }
  return edits.apply();
}

function composed(model: Model, node: Node): [string, Activation] | undefined {
  if (node.op_type !== "Mul" && node.op_type !== "Div") return undefined;
  for (const [pattern, make] of COMPOSED) {
    const found = find(pattern, model, node.output[0] as string);
    if (found) return [found.values.x as string, make(found.numbers)];
  }
  return hardSigmoidProduct(model, node);
}

function single(model: Model, node: Node): [string, Activation] | undefined {
  const activation = activationOf(model, node);
  return activation && [node.input[0] as string, activation];
}

/** What an Activate node makes of a number, in double precision. */
export function applied({ attributes }: Node): (x: number) => number {
  const { kind, alpha, beta } = attributes as unknown as Activation;
  const name = Object.keys(KINDS).find((key) => KINDS[key as keyof typeof KINDS] === kind) as keyof typeof KINDS;
  if (name === "none") return (v) => v;
  if (name === "Exp") return Math.exp;
  if (name === "Erf") return erf;
  if (name === "GeluTanh") return geluTanh;
  if (name === "SiLU" || name === "QuickGelu") return ACTIVATIONS.Swish.of(name === "SiLU" ? 1 : alpha);
  const gate = ACTIVATIONS.HardSigmoid.of(alpha, beta);
  return name === "HardSwish" ? (v) => v * gate(v) : ACTIVATIONS[name].of(alpha, beta);
}
