/** The promise that memory stays within an isolate's 128 MB whatever the model's size, on a real workerd. Not a test of speed. */
import { describe, expect, test } from "vitest";
import { measuredWorker } from "../../bench/worker/run.ts";
import { bigOnnx, bigSafetensors } from "../kit/big.ts";

/** Most resident memory over an idle workerd's. */
const BUDGET = 96e6;
const bytes = 256 << 20;
const side = 2048; // tensors of 16 MB

describe.skipIf(process.platform !== "linux")("workerd's peak of resident memory less its idle one", () => {
  test.each([
    ["w8", "ONNX", () => bigOnnx({ bytes, k: side, n: side, reuse: true })],
    ["w8", "safetensors", () => bigSafetensors({ bytes, rows: side, cols: side, reuse: true })],
    ["w4", "ONNX", () => bigOnnx({ bytes, k: side, n: side, reuse: true })],
    ["q8", "ONNX", () => bigOnnx({ bytes, k: side, n: side, reuse: true })],
    ["bnb4", "ONNX", () => bigOnnx({ bytes, k: side, n: side, reuse: true })],
    ["fp16", "ONNX", () => bigOnnx({ bytes, k: side, n: side, reuse: true })],
  ] as const)("is within the budget for %s of %s", async (scheme, _format, model) => {
    const worker = await measuredWorker("src/worker.ts");
    try {
      const idle = await worker.resident();
      const peak = await worker.peak(() => worker.run(`/v1/compress?quantize=${scheme}`, model()));
      expect(peak - idle).toBeLessThan(BUDGET);
      expect(peak - idle).toBeGreaterThan(1e6); // it was measured
    } finally {
      await worker.dispose();
    }
  });
});
