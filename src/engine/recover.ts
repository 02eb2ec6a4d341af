/** What brings back of a pruned model's accuracy what can be had without training: https://arxiv.org/abs/1707.06168 */
import type { Document } from "../formats/onnx/document.ts";
import { edited, type Node, topological } from "../graph/graph.ts";
import type { Names } from "../graph/names.ts";
import { Patch } from "../graph/patch.ts";
import type { Source } from "../io/source.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { bytesIn, memoryPayload } from "../payload.ts";
import type { Removal } from "../prune/channels/removal.ts";
import { fitLayer } from "../prune/recover/least-squares.ts";
import { Moments, renormalized } from "../prune/recover/moments.ts";
import { Sums } from "../prune/recover/sums.ts";
import { isRow, type ShapeOf, type Tap, tapOf } from "../prune/recover/taps.ts";
import type { InferenceModel } from "../runtime/model.ts";
import { arrayOf, elements, type Tensor, tensorBytes } from "../tensor.ts";
import type { Calibration, Tensors } from "./calibration.ts";
import { observedValues } from "./observed-values.ts";
import type { OnnxRun } from "./onnx.ts";
import { floatSource } from "./onnx-float.ts";
import type { Definition } from "./onnx-weights.ts";
import { OutputError } from "./output-error.ts";
import { sampled } from "./sampled.ts";

export type Method = "batch_norm" | "bias" | "least_squares";

/** Places of all samples that a layer is fitted on, at least, and for each row that it reads. */
const MIN_PLACES = 4096;
const PLACES_A_ROW = 6;
/** Layers of one depth are fitted together, one depth after the other; of a deeper model several at a time. */
const MAX_PASSES = 64;

/** How far the outputs are from those of the model before pruning: mean squared error over their mean square. */
export interface RecoveryReport {
  methods: readonly Method[];
  /** Samples that were fitted on, and those that the errors are of: others, where there are enough. */
  samples: number;
  held_out: number;
  relative_mse: [before: number, after: number];
}

/** A node whose constants are fitted. */
type Step = { depth: number } & ({ tap: Tap } | { norm: Node });

/** A model before and after channels were removed. */
export interface Pruned {
  original: Source;
  document: Document;
  /** Changed in place: fitted tensors take the place of others. */
  definitions: Map<string, Definition>;
  rest: readonly Definition[];
  /** What channels went; none where weights alone changed. */
  removal: Removal | undefined;
}

/** What else is done to a layer once its sums are there, after it was fitted: it may change the weight. */
export type Treat = (kernels: Kernels, tap: Tap, sums: Sums, weight: Float32Array) => void;

/** Fits what is left to what the original gives, in the order of the graph; `treat` then has each layer's turn. */
export async function recover(
  run: OnnxRun,
  pruned: Pruned,
  names: Names,
  methods: readonly Method[],
  treat?: Treat,
): Promise<RecoveryReport> {
  const { calibration, load, signal } = run;
  const { document, definitions } = pruned;
  const options = { maxBytes: calibration?.maxBytes, signal };
  const source = (): Source => floatSource(document, [...pruned.rest, ...definitions.values()]);
  const steps = stepsOf(document, definitions, methods, names, treat !== undefined);
  const targets = steps.map((step) => ("tap" in step ? step.tap.y : (step.norm.input[0] as string)));
  const original = await load(pruned.original, { ...options, observed: targets });
  const { fitted, held } = await sampled(calibration as Calibration, original.inputs);
  const outputs = await OutputError.from(original, held, signal);
  const error = async (): Promise<number> => outputs.of(await load(source(), options));
  const before = await error();
  const kernels = await run.spare();
  const depth = Math.max(0, ...steps.map((step) => step.depth));
  const wide = Math.ceil((depth + 1) / MAX_PASSES);
  for (let from = 0; from <= depth; from += wide) {
    const now = steps.filter((step) => step.depth >= from && step.depth < from + wide);
    if (now.length > 0) await fit(run, pruned, { original, source, kernels, samples: fitted, methods, treat }, now);
  }
  return { methods, samples: fitted.length, held_out: held.length, relative_mse: [before, await error()] };
}

/** Places of each of so many samples that a layer is looked at. */
export const wantedPlaces = ({ k }: Tap, samples: number): number => Math.ceil(Math.max(MIN_PLACES, k * PLACES_A_ROW) / samples);

/** The nodes to fit, each with the number of others on the longest way to it. A convolution without a bias is given one where nothing shifts behind it. */
function stepsOf(
  document: Document,
  definitions: Map<string, Definition>,
  methods: readonly Method[],
  names: Names,
  isTreated: boolean,
): Step[] {
  const { main } = document;
  const ownShape = (name: string): readonly number[] | undefined => {
    const info = definitions.get(name)?.info;
    return info?.dtype === "float32" && document.values.uses(name, main).length === 1 ? info.shape : undefined;
  };
  const patch = new Patch();
  const depths = new Map<string, number>();
  const steps: Step[] = [];
  for (const node of topological(main)) {
    let depth = Math.max(0, ...node.input.map((name) => depths.get(name) ?? 0));
    const isFitted = methods.some((method) => method !== "batch_norm");
    const tap = isFitted || isTreated ? tapOf(node, ownShape) : undefined;
    const isNorm = node.domain === "" && node.op_type === "BatchNormalization" && methods.includes("batch_norm");
    if (tap) steps.push({ depth: depth++, tap: isFitted ? withBias(document, definitions, patch, names, tap, ownShape) : tap });
    else if (isNorm && node.input.slice(3, 5).every(ownShape)) steps.push({ depth: depth++, norm: node });
    for (const name of node.output) depths.set(name, depth);
  }
  document.apply(patch);
  return steps;
}

/** A tap with the constant that is added behind it, which a convolution is given where it has none and nothing shifts its output. */
function withBias(document: Document, definitions: Map<string, Definition>, patch: Patch, names: Names, tap: Tap, ownShape: ShapeOf): Tap {
  const { node, y, m, groups } = tap;
  const readers = document.values.uses(y, document.main).map((use) => use.node);
  if (node.op_type === "MatMul") {
    const [reader] = readers;
    if (!reader || readers.length > 1 || reader.op_type !== "Add" || reader.domain !== "") return tap;
    const bias = reader.input.find((name) => name !== y && isRow(ownShape(name), tap));
    return bias === undefined ? tap : { ...tap, bias };
  }
  const isShifted = readers.length > 0 && readers.every(({ op_type }) => op_type === "BatchNormalization");
  if (node.op_type !== "Conv" || node.input[2] || isShifted) return tap;
  const bias = names.fresh(`${tap.weight}/bias`);
  const info = { name: bias, dtype: "float32" as const, shape: [m * groups] };
  definitions.set(bias, { info, home: document.main, payload: memoryPayload(new Uint8Array(m * groups * 4)), bulk: [], made: true });
  document.tensors.set(bias, info);
  const changed = edited(node, { input: [...node.input.slice(0, 2), bias] });
  patch.replace(node, [changed]);
  patch.define(document.main, bias);
  return { ...tap, node: changed, bias };
}

interface Fitting {
  original: InferenceModel;
  source: () => Source;
  kernels: Kernels;
  samples: readonly Tensors[];
  methods: readonly Method[];
  treat: Treat | undefined;
}

/** Fits some nodes, from what they read in the pruned model and gave in the original. */
async function fit({ load, calibration, signal }: OnnxRun, pruned: Pruned, fitting: Fitting, steps: readonly Step[]): Promise<void> {
  const { original, source, kernels, samples, methods, treat } = fitting;
  const { definitions, removal } = pruned;
  const taps = steps.flatMap((step) => ("tap" in step ? [step.tap] : []));
  const norms = steps.flatMap((step) => ("norm" in step ? [step.norm] : []));
  const squares = methods.includes("least_squares");
  const fits = new Map(
    taps.map((tap) => [
      tap,
      squares || treat ? new Sums(kernels, tap, squares) : new Moments(tap.m * tap.groups, tap.node.op_type !== "Conv"),
    ]),
  );
  const channelsOf = (norm: Node): number => elements(definitions.get(norm.input[3] as string)?.info.shape ?? []);
  const moments = norms.map((norm) => ({
    norm,
    was: new Moments(channelsOf(norm), false),
    is: new Moments(channelsOf(norm), false),
  }));
  const observed = [...taps.flatMap(({ x, y }) => [x, y]), ...norms.map(({ input }) => input[0] as string)];
  const model = await load(source(), { observed, maxBytes: calibration?.maxBytes, signal });
  for (const sample of samples) {
    signal?.throwIfAborted();
    const wantedOf = [...taps.map(({ y }) => y), ...norms.map(({ input }) => input[0] as string)];
    const targets = await observedValues(original, sample, new Set(wantedOf), signal);
    const given = await observedValues(model, sample, new Set(observed), signal);
    for (const [tap, fitted] of fits) {
      const [x, y, target] = [given.get(tap.x), given.get(tap.y), targets.get(tap.y)];
      if (!x || !y || !target) continue;
      const left = taken(target, removal?.of(tap.y));
      const wanted = wantedPlaces(tap, samples.length);
      if (fitted instanceof Moments) fitted.add(left, y);
      else fitted.add(x, y, wanted, squares ? left : undefined);
    }
    for (const { norm, was, is } of moments) {
      const [name = ""] = norm.input;
      const [target, x] = [targets.get(name), given.get(name)];
      if (!target || !x) continue;
      was.add(taken(target, removal?.of(name)));
      is.add(x);
    }
  }
  for (const [tap, fitted] of fits) {
    const weight = await floats(definitions, tap.weight);
    const bias = tap.bias === undefined ? undefined : await floats(definitions, tap.bias);
    if (fitted instanceof Moments) addTo(bias, fitted.mean);
    else {
      if (squares) fitLayer(kernels, tap, fitted, weight, bias);
      treat?.(kernels, tap, fitted, weight);
    }
    replace(definitions, tap.weight, weight);
    if (tap.bias !== undefined && bias) replace(definitions, tap.bias, bias);
  }
  for (const { norm, was, is } of moments) {
    const [, , , mean = "", variance = ""] = norm.input;
    const old = { mean: await floats(definitions, mean), variance: await floats(definitions, variance) };
    const fitted = renormalized(old, was, is, Number(norm.attributes.epsilon ?? 1e-5));
    replace(definitions, mean, fitted.mean);
    replace(definitions, variance, fitted.variance);
  }
}

const floats = async (definitions: Map<string, Definition>, name: string): Promise<Float32Array> => {
  const { payload } = definitions.get(name) as Definition;
  return arrayOf("float32", payload ? await bytesIn(payload) : new Uint8Array(0)) as Float32Array;
};

/** Gives a tensor other elements, where they are finite. */
function replace(definitions: Map<string, Definition>, name: string, data: Float32Array): void {
  const definition = definitions.get(name) as Definition;
  if (!data.every(Number.isFinite)) return;
  definitions.set(name, {
    ...definition,
    payload: memoryPayload(tensorBytes({ dtype: "float32", shape: definition.info.shape, data })),
    isPruned: true,
  });
}

/** What is left of a tensor where some indices of its axes go. */
function taken(tensor: Tensor, left: readonly (readonly number[] | undefined)[] | undefined): Tensor {
  const axis = left?.findIndex(Boolean) ?? -1;
  const kept = left?.[axis];
  if (!kept || left.filter(Boolean).length > 1) return tensor;
  const inner = elements(tensor.shape.slice(axis + 1));
  const size = tensor.shape[axis] as number;
  const outer = elements(tensor.shape.slice(0, axis));
  const data = new Float32Array(outer * kept.length * inner);
  const from = tensor.data as Float32Array;
  for (let o = 0, at = 0; o < outer; o++)
    for (const index of kept) {
      data.set(from.subarray((o * size + index) * inner, (o * size + index + 1) * inner), at);
      at += inner;
    }
  return { dtype: tensor.dtype, shape: tensor.shape.map((d, i) => (i === axis ? kept.length : d)), data };
}

function addTo(bias: Float32Array | undefined, lack: Float64Array): void {
  for (const [c, value] of bias?.entries() ?? []) if (bias) bias[c] = value + (lack[c] as number);
}
