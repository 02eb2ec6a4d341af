import type { Affine } from "../encoding.ts";
import { UnsupportedError } from "../errors.ts";
import type { Document } from "../formats/onnx/document.ts";
import { knownOf } from "../formats/onnx/known.ts";
import { STATIC_NEED } from "../formats/onnx/represent.ts";
import { type IntegerBias, type Quantization, quantizeStatically } from "../formats/onnx/static.ts";
import type { Node } from "../graph/graph.ts";
import type { Names } from "../graph/names.ts";
import { Patch } from "../graph/patch.ts";
import { type BiasedProduct, planStatic, type StaticPlan } from "../graph/static.ts";
import { inferGraph } from "../ops/infer.ts";
import { bytesIn, type Payload } from "../payload.ts";
import { activation, roundHalfEven } from "../quantize/affine.ts";
import { arrayOf, type TensorInfo } from "../tensor.ts";
import { calibrate, observerOf } from "./calibrate.ts";
import { openObserved } from "./calibration.ts";
import type { Decider } from "./decide.ts";
import { bytesOf, type OnnxRun } from "./onnx.ts";
import { floatSource } from "./onnx-float.ts";
import { raiseTo } from "./onnx-opset.ts";
import type { Definition, Encoded } from "./onnx-weights.ts";
import { weightScales } from "./weight.ts";

/** What is known of activations once samples have run. */
export interface Calibrated {
  plan: StaticPlan;
  /** Of the activations that have scales of their own. */
  parameters: ReadonlyMap<string, Affine>;
}

/** The largest int32 of a bias: half of what an accumulator holds, so that the products have the rest. */
const MAX_BIAS = 2 ** 30;

/** Plans the main graph's quantization and calibrates it; undefined where the recipe's scheme looks at weights alone. */
export async function calibrateOnnx(
  run: OnnxRun,
  document: Document,
  definitions: readonly Definition[],
  names: Names,
): Promise<Calibrated | undefined> {
  const { decider, calibration, load, log, signal } = run;
  const { observer } = decider;
  if (observer === undefined) return undefined;
  const makeObserver = observerOf(observer);
  if (!calibration)
    throw new UnsupportedError(
      "The scheme w8a8 looks at activations: give samples of the model's inputs to calibrate on (edgeslim compress --calibrate SAMPLES, " +
        "?model=NAME&samples=NAME over HTTP, the option 'calibration' of compress), or use w8, which needs none",
    );
  raiseTo(document, STATIC_NEED, names, log);
  const own = definitions.filter(({ home }) => home === document.main);
  const planned = staticPlanner(
    document,
    own.map(({ info, payload }) => ({ ...info, isHeld: payload !== undefined })),
    decider,
  );

  const wanted = planned().activations;
  const scaled = [...wanted].filter(([, like]) => like === undefined).map(([name]) => name);
  const model = await openObserved(floatSource(document, definitions), scaled, calibration, load, signal);
  const given = calibration.samples;
  if (typeof given !== "function" && !(Symbol.iterator in Object(given)) && !(Symbol.asyncIterator in Object(given)))
    throw new UnsupportedError(
      "calibration.samples is no list: expected sets of inputs, or a function that gives them for the model's inputs",
    );
  const { ranges, samples } = await calibrate(
    typeof given === "function" ? await given(model.inputs) : given,
    model,
    scaled,
    makeObserver,
    signal,
  );
  const missing = new Set(scaled.filter((name) => !ranges.has(name)));
  if (missing.size > 0)
    log.warnOf("not-calibrated", "The samples gave nothing of these values: what reads or makes them stays in float", [...missing]);
  const plan = planned(missing);
  log.calibration = { observer, samples, activations: plan.activations.size };
  return {
    plan,
    parameters: new Map([...ranges].map(([name, range]) => [name, activation(range)])),
  };
}

/**
 * Plans a main graph's quantization, with values that are to stay in float. `tensors` are its constants; those that are not held are
 * no constants of the plan.
 */
export function staticPlanner(
  document: Document,
  tensors: readonly (TensorInfo & { isHeld: boolean })[],
  decider: Decider,
): (inFloat?: ReadonlySet<string>) => StaticPlan {
  const { main, values, ir_version } = document;
  const types = inferGraph(main, knownOf(document, document.tensors)).get(main);
  const inputs = new Set(ir_version < 4 ? [] : main.inputs);
  const defined = new Set(tensors.map(({ name }) => name));
  const constants = new Map(
    tensors.flatMap(({ name, dtype, shape, isHeld }) => (isHeld && dtype === "float32" && !inputs.has(name) ? [[name, shape.length]] : [])),
  );
  const isFloat = (name: string): boolean => !defined.has(name) && types?.get(name)?.dtype === "float32";
  const isExcluded = ({ name, input, output }: Node): boolean =>
    !decider.leavesToScheme([name, ...output, ...input.filter((each) => constants.has(each))]);
  return (inFloat) => {
    const isActivation = (name: string): boolean => isFloat(name) && !inFloat?.has(name);
    return planStatic(main, values, { isActivation, isExcluded, rankOf: (name) => constants.get(name) });
  };
}

/** Edits the main graph to compute as calibrated. Call it before the names of weights are given back. */
export async function quantizeOnnx(
  run: OnnxRun,
  document: Document,
  { plan, parameters }: Calibrated,
  encoded: readonly Encoded[],
  definitions: readonly Definition[],
  names: Names,
): Promise<void> {
  const { main } = document;
  const constants = new Map<string, Quantization>();
  const weights = new Map<string, Encoded>();
  for (const each of encoded) {
    const { definition, encoding, parts } = each;
    if (encoding.kind !== "affine8" || definition.home !== main) continue;
    weights.set(definition.info.name, each);
    const [, scale = "", zero_point = ""] = parts.map(({ name }) => name);
    if (encoding.dtype === "uint8") constants.set(definition.info.name, { scale, zero_point });
  }
  const scales = await productScales(run, plan, parameters, weights, definitions);
  const patch = new Patch();
  const biases = await quantizeBiases(run, document, plan, scales, definitions, patch);
  const used = new Map([...parameters].filter(([name]) => plan.activations.has(name)));
  quantizeStatically(plan, used, constants, biases, { main, patch, fresh: names.fresh });
  document.apply(patch);
}

/**
 * The scales of the products that a bias is added to, by their output. A weight so small that its bias would not fit is given greater scales.
 */
async function productScales(
  { kernels }: OnnxRun,
  plan: StaticPlan,
  parameters: ReadonlyMap<string, Affine>,
  weights: ReadonlyMap<string, Encoded>,
  definitions: readonly Definition[],
): Promise<Map<string, Float32Array>> {
  const values = new Map(definitions.map(({ info, payload }) => [info.name, payload]));
  const ofWeights = new Map<Encoded, Float32Array>();
  const products: { product: BiasedProduct; x: number; weight: Encoded }[] = [];
  for (const product of plan.biased) {
    const x = parameters.get(plan.activations.get(product.x) ?? product.x);
    const weight = weights.get(product.weight);
    const bias = values.get(product.bias);
    if (!x || !weight || !bias || weight.encoding.kind !== "affine8") continue;
    const { definition, encoding } = weight;
    let scales = ofWeights.get(weight);
    if (!scales) {
      const [bytes] = await weightScales(kernels, definition.info, encoding, definition.payload as Payload);
      scales = arrayOf("float32", bytes as Uint8Array) as Float32Array;
      ofWeights.set(weight, scales);
    }
    const needed = scales.slice();
    for (const [c, value] of (await floats(bias)).entries()) {
      const i = scales.length === 1 ? 0 : c;
      needed[i] = Math.max(needed[i] as number, Math.abs(value) / (x.scale * MAX_BIAS));
    }
    if (needed.some((scale, i) => scale !== scales?.[i])) weight.encoding = { ...encoding, least: needed };
    scales.set(needed);
    products.push({ product, x: x.scale, weight });
  }
  return new Map(
    products.map(({ product, x, weight }) => [product.output, (ofWeights.get(weight) as Float32Array).map((scale) => x * scale)]),
  );
}

/** Biases as int32, by the output of the product; their float forms go where nothing reads them any more. */
async function quantizeBiases(
  { log }: OnnxRun,
  document: Document,
  plan: StaticPlan,
  scales: ReadonlyMap<string, Float32Array>,
  definitions: readonly Definition[],
  patch: Patch,
): Promise<Map<string, IntegerBias>> {
  const biases = new Map<string, IntegerBias>();
  for (const definition of definitions) {
    const { info, payload, constant, home } = definition;
    const readers = home === document.main ? plan.biased.filter(({ bias }) => bias === info.name) : [];
    if (readers.length === 0) continue;
    const known = readers.filter(({ output }) => scales.has(output));
    const error = { signal: 0, noise: 0, nonfinite: 0 };
    const bias = await floats(payload as Payload);
    for (const { output } of known) {
      const of = scales.get(output) as Float32Array;
      const all = bias.map((_, c) => of[of.length === 1 ? 0 : c] as number);
      const values = Int32Array.from(bias, (x, c) => roundHalfEven(x / (all[c] as number)));
      biases.set(output, { values, scales: all });
      bias.forEach((x, c) => {
        if (!Number.isFinite(x)) error.nonfinite++;
        error.signal += x ** 2;
        error.noise += (x - (values[c] as number) * (all[c] as number)) ** 2;
      });
    }
    if (known.length < readers.length) {
      log.kept(info, "the bias of a product that stays in float", bytesOf(info));
      continue;
    }
    log.encoded(info, "w8a8", bytesOf(info), 2 * bytesOf(info) * readers.length, error);
    if (constant) patch.remove(constant);
    else patch.undefine(document.main, info.name);
  }
  return biases;
}

const floats = async (payload: Payload): Promise<Float32Array> => arrayOf("float32", await bytesIn(payload)) as Float32Array;
