/** What is known of ONNX's operators: every export of a family is an operator under its name. */
import type { Node } from "../graph/graph.ts";
import * as along from "./along.ts";
import * as attention from "./attention.ts";
import * as binary from "./binary.ts";
import * as bits from "./bits.ts";
import * as cast from "./cast.ts";
import * as control from "./control.ts";
import * as conv from "./conv.ts";
import * as create from "./create.ts";
import * as detect from "./detect.ts";
import * as elementwise from "./elementwise.ts";
import * as fused from "./fused.ts";
import * as image from "./image.ts";
import * as layout from "./layout.ts";
import * as linear from "./linear.ts";
import * as loss from "./loss.ts";
import * as microsoft from "./microsoft.ts";
import * as microsoft_attention from "./microsoft-attention.ts";
import * as microsoft_data from "./microsoft-data.ts";
import * as microsoft_fused from "./microsoft-fused.ts";
import * as microsoft_linear from "./microsoft-linear.ts";
import * as microsoft_normalization from "./microsoft-normalization.ts";
import * as microsoft_quantized from "./microsoft-quantized.ts";
import * as normalization from "./normalization.ts";
import type { Op } from "./op.ts";
import * as pad from "./pad.ts";
import * as pool from "./pool.ts";
import * as quantize from "./quantize.ts";
import * as random from "./random.ts";
import * as recurrent from "./recurrent.ts";
import * as reduce from "./reduce.ts";
import * as regions from "./regions.ts";
import * as resize from "./resize.ts";
import * as scatter from "./scatter.ts";
import * as search from "./search.ts";
import * as select from "./select.ts";
import * as sequence from "./sequence.ts";
import * as shape from "./shape.ts";
import * as signal from "./signal.ts";
import * as softmax from "./softmax.ts";
import * as strings from "./strings.ts";
import * as unary from "./unary.ts";

// biome-ignore format: a table
const ONNX = [
  along, attention, binary, bits, cast, control, conv, create, detect, elementwise, image, layout, linear, loss, normalization, pad, pool, quantize, random, recurrent,
  reduce, regions, resize, scatter, search, select, sequence, shape, signal, softmax, strings, unary,
];
const MICROSOFT = [
  microsoft,
  microsoft_attention,
  microsoft_data,
  microsoft_fused,
  microsoft_linear,
  microsoft_normalization,
  microsoft_quantized,
];

/** An operator's name starts with a capital; what else a family exports does not. */
const gathered = (families: readonly object[]): ReadonlyMap<string, Op> =>
  new Map(families.flatMap((family) => Object.entries(family).filter(([name]) => /^[A-Z]/.test(name))) as [string, Op][]);

/** Operators by domain; ai.onnx is ''. */
export const operators: ReadonlyMap<string, ReadonlyMap<string, Op>> = new Map([
  ["", gathered(ONNX)],
  ["com.microsoft", gathered(MICROSOFT)],
  ["edgeslim", gathered([fused])],
]);

/** The operator of a node. */
export const operator = ({ domain, op_type }: Node): Op | undefined => operators.get(domain)?.get(op_type);
