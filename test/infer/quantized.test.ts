/** Models that our schemes and the ONNX tools of Python write give on fused kernels what their operators give one by one. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { load } from "../../src/index.ts";
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
