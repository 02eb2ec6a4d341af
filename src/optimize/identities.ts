import type { Node } from "../graph/graph.ts";
import { dataType } from "../graph/types.ts";
import { integersOf, isStatic, type Value } from "../ops/value.ts";
import { elements, isFloat } from "../tensor.ts";
import { Edits, type Model } from "./model.ts";

/** Says of a node whether its first output is the input it returns the position of. */
type Rule = (node: Node, input: (index: number) => Value | undefined, output: Value | undefined) => number | undefined;

const number = (node: Node, name: string, otherwise: number): number => {
  const value = node.attributes[name];
  return typeof value === "number" ? value : otherwise;
};

const when = (holds: boolean): number | undefined => (holds ? 0 : undefined);
const alone: Rule = (node) => when(node.input.filter(Boolean).length === 1);
/** Nodes that only move elements in order: with the shape, all stays. */
const sameShape: Rule = (_node, input, output) => when(isSame(input(0), output));

function isSame(a: Value | undefined, b: Value | undefined): boolean {
  return a?.shape !== undefined && b?.shape?.length === a.shape.length && a.shape.every((d, i) => d === b.shape?.[i]);
}

/** Whether a value is one element, or many, of which all are `neutral`. */
function isAll(value: Value | undefined, neutral: number): boolean {
  const data = value?.constant?.data;
  if (!data || !value.constant || !(isFloat(value.constant.dtype) || /int/.test(value.constant.dtype))) return false;
  if (value.constant.dtype === "float16" || value.constant.dtype === "bfloat16") return false;
  return Array.from(data as ArrayLike<number | bigint>, Number).every((x) => x === neutral);
}

/** An operation with a neutral element: `at` is where that may stand. */
const neutral =
  (element: number, at: readonly number[]): Rule =>
  (_node, input, output) => {
    for (const index of at) {
      const other = 1 - index;
      if (isAll(input(index), element) && isSame(input(other), output)) return other;
    }
    return undefined;
  };

/** https://onnx.ai/onnx/operators/ */
const RULES: ReadonlyMap<string, Rule> = new Map(
  Object.entries<Rule>({
    Identity: () => 0,
    // Without a training_mode that is set, an inference-time Dropout hands its input on.
    Dropout: (node, input) => when(!node.output[1] && (!node.input[2] || isFalse(input(2)))),
    Cast: (node, input) => {
      const dtype = input(0)?.dtype;
      return when(dtype !== undefined && dataType(dtype) === number(node, "to", 0));
    },
    Concat: alone,
    Sum: alone,
    Mean: alone,
    Max: alone,
    Min: alone,
    Transpose: (node, input) => {
      const { perm } = node.attributes;
      if (Array.isArray(perm)) return when(perm.every((axis, i) => axis === i));
      return when((input(0)?.shape?.length ?? 2) < 2);
    },
    Reshape: sameShape,
    Flatten: sameShape,
    Squeeze: sameShape,
    Unsqueeze: sameShape,
    Expand: sameShape,
    Slice: (node, input, output) => {
      const isForward = node.input[4] ? integersOf(input(4))?.every((step) => step === 1) : true;
      return when(isForward === true && isSame(input(0), output) && isStatic(output?.shape));
    },
    Pad: (node, input) => {
      const pads = (node.attributes.pads as readonly number[] | undefined) ?? integersOf(input(1));
      return when(pads?.every((n) => n === 0) === true);
    },
    Tile: sameShape,
    Add: neutral(0, [0, 1]),
    Sub: neutral(0, [1]),
    Mul: neutral(1, [0, 1]),
    Div: neutral(1, [1]),
  }),
);

const isFalse = (value: Value | undefined): boolean => value?.constant?.data[0] === 0;

/** Removes nodes that hand on what they are given. */
export function identities(model: Model): boolean {
  const edits = new Edits(model);
  for (const node of model.main.nodes) {
    const rule = node.domain === "" ? RULES.get(node.op_type) : undefined;
    const [output = ""] = node.output;
    if (!rule || !output) continue;
    const value = (name: string | undefined) => (name ? model.inferred.get(name) : undefined);
    const from = rule(node, (index) => value(node.input[index]), value(output));
    if (from !== undefined) edits.bypass(node, node.input[from] as string, output);
  }
  return edits.apply();
}

/** Joins two Transposes, or two Reshapes, of which only the second reads the first. */
export function pairs(model: Model): boolean {
  const edits = new Edits(model);
  for (const node of model.main.nodes) {
    const [input = "", ...rest] = node.input;
    const before = model.producer(input);
    if (node.domain !== "" || before?.domain !== "" || before.op_type !== node.op_type || !model.isPrivate(input)) continue;
    if (edits.isTouched(before) || edits.isTouched(node)) continue;
    const first = before.input[0] as string;
    if (node.op_type === "Reshape" && reshapesAnything(model, node)) {
      edits.replace(before, []);
      edits.replace(node, [{ ...node, input: [first, ...rest], from: node.from ?? node }]);
    }
    const [a, b] = [before.attributes.perm, node.attributes.perm];
    if (node.op_type === "Transpose" && Array.isArray(a) && Array.isArray(b) && a.length === b.length) {
      const perm = (b as number[]).map((axis) => (a as number[])[axis] as number);
      edits.replace(before, []);
      edits.replace(node, [{ ...node, input: [first], attributes: { ...node.attributes, perm }, from: node.from ?? node }]);
    }
  }
  return edits.apply();
}

/** Whether a Reshape's target does not copy a dimension of its input. */
function reshapesAnything(model: Model, node: Node): boolean {
  const shape = integersOf(model.inferred.get(node.input[1] as string));
  const output = model.inferred.get(node.output[0] as string)?.shape;
  return shape !== undefined && !shape.includes(0) && (!shape.includes(-1) || !isStatic(output) || elements(output) > 0);
}
