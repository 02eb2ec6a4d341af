/** The promise that memory stays within an isolate's 128 MB whatever the model's size, on a real workerd. Not a test of speed. */
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { measuredWorker } from "../../bench/worker/run.ts";
import { writeNpy } from "../../src/io/npy.ts";
import { bigOnnx, bigSafetensors } from "../kit/big.ts";
import type { TensorValue } from "../kit/models/model.ts";
import { realModels } from "../kit/realmodels.ts";

/** Most resident memory over an idle workerd's. */
const BUDGET = 96e6;
/** The same for a model that is read from the store and run: an idle isolate holds some 10 MB of its 128. */
const RUN_BUDGET = 115e6;
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

describe.skipIf(process.platform !== "linux")("workerd's peak of resident memory less its idle one, while it runs a model,", () => {
  test.each([realModels.recognizer, realModels.detector])("is within the budget for $name", async ({ path, inputs }) => {
    const worker = await measuredWorker("src/worker.ts");
    try {
      const x = inputs.x as TensorValue;
      const put = await fetch(`${worker.url}/v1/models/m/model.onnx`, { method: "PUT", body: await readFile(path) });
      expect(put.status).toBe(201);
      const idle = await worker.resident();
      const peak = await worker.peak(async () => {
        const input = { name: "x", datatype: "FP32", shape: x.dims, parameters: { binary_data_size: x.data.byteLength } };
        const head = Buffer.from(JSON.stringify({ inputs: [input], parameters: { binary_data_output: true } }));
        const body = Buffer.concat([head, Buffer.from(x.data.buffer as ArrayBuffer, x.data.byteOffset, x.data.byteLength)]);
        for (let run = 0; run < 3; run++) {
          const headers = { "inference-header-content-length": String(head.length) };
          const answer = await fetch(`${worker.url}/v2/models/m/infer`, { method: "POST", body, headers });
          expect(answer.status).toBe(200);
          await answer.arrayBuffer();
        }
      });
      expect(peak - idle).toBeLessThan(RUN_BUDGET);
      expect(peak - idle).toBeGreaterThan(1e6);
    } finally {
      await worker.dispose();
    }
  });

  test.each([realModels.recognizer, realModels.detector])("is within the budget for calibrating $name", async ({ path, inputs }) => {
    const worker = await measuredWorker("src/worker.ts");
    try {
      const { dims, data } = inputs.x as TensorValue;
      const sample = writeNpy({ dtype: "float32", shape: dims, data: data as Float32Array }) as Uint8Array<ArrayBuffer>;
      const puts = { "models/m/model.onnx": await readFile(path), "data/s/0.npy": sample, "data/s/1.npy": sample };
      for (const [key, body] of Object.entries(puts))
        expect((await fetch(`${worker.url}/v1/${key}`, { method: "PUT", body })).status).toBe(201);
      const idle = await worker.resident();
      const peak = await worker.peak(async () => {
        const query = "model=m&samples=s&output=q&quantize=w8a8&optimize=true";
        const answer = await fetch(`${worker.url}/v1/compress?${query}`, { method: "POST" });
        expect(await answer.json()).toMatchObject({ calibration: { samples: 2 } });
      });
      expect(peak - idle).toBeLessThan(RUN_BUDGET);
      expect(peak - idle).toBeGreaterThan(1e6);
    } finally {
      await worker.dispose();
    }
  });
});
