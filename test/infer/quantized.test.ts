/** Models that our schemes and the ONNX tools of Python write give on fused kernels what their operators give one by one. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compress, load, type SchemeName, UnsupportedError } from "../../src/index.ts";
import { tensorsOf } from "../kit/calibrating.ts";
import { generators } from "../kit/models.ts";
import { agreement, fedTo } from "./agreement.ts";

const FOLDER = new URL("../fixtures/golden/", import.meta.url);
const files = readdirSync(FOLDER).filter((file) => /\.(int8|uint8|q4|bnb4|w8a8)[^/]*\.onnx$/.test(file));

/** Convolutions whose kernel comes with the run, and what stands behind a loop and is too small to be moved for a kernel. */
const PLAIN = /^(constant-conv|conv-variable|loop)/;

describe("what the ONNX tools of Python write", () => {
  test.each(files)("%s", async (file) => {
    const bytes = new Uint8Array(readFileSync(new URL(file, FOLDER)));
    const feeds = fedTo(await load(bytes));
    const { furthest, plain } = await agreement(bytes, feeds);
    expect(furthest).toBeLessThan(1e-5);
    const isQuantized = (op_type: string) => /Integer|QuantizeLinear|QMatMul|QConv|MatMulNBits|Bnb4/.test(op_type);
    if (!PLAIN.test(file)) expect(plain.filter(isQuantized)).toEqual([]);
  });
});

describe.each(["q8", "int8", "uint8", "q4", "bnb4", "w4", "w8"] as const)("what the scheme %s writes", (scheme) => {
  // Weights alone are spelled otherwise below opset 13.
  const cells = generators.flatMap(({ name, generate, opsets }) =>
    (scheme === "w8" ? [opsets[0], opsets.at(-1)] : [opsets.at(-1)]).map((opset) => ({ name, generate, opset })),
  );
  // A difference of float32's precision before x is quantized by its range may move one of its bytes by a step; halves are not rounded within
  // what is fused.
  const toleranceOf = (name: string) => (/8$/.test(scheme) && scheme !== "w8" ? 1e-2 : name.startsWith("half") ? 2e-3 : 2e-5);
  test.each(cells)("of $name at opset $opset", async ({ name, generate, opset }) => {
    const { bytes, inputs, more } = generate({ opset: opset as number });
    const written = await compressed(bytes, scheme);
    if (!written) return;
    for (const feeds of [inputs, ...more]) expect((await agreement(written, tensorsOf(feeds))).furthest).toBeLessThan(toleranceOf(name));
  });
});

/** Undefined where the scheme refuses the model. */
async function compressed(bytes: Uint8Array, scheme: SchemeName): Promise<Uint8Array | undefined> {
  try {
    return new Uint8Array(await new Response(compress(bytes, { quantize: scheme }).readable).arrayBuffer());
  } catch (error) {
    if (error instanceof UnsupportedError) return undefined;
    throw error;
  }
}
