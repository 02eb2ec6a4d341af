/** Graphs that compute in float16 run on the kernels of float32. */
import { expect, test } from "vitest";
import { compress, load } from "../../src/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { bert } from "../kit/models/bert.ts";
import * as conv from "../kit/models/conv.ts";
import { lcnet } from "../kit/models/lcnet.ts";
import type { Generate } from "../kit/models/model.ts";
import { runNode } from "../kit/ort.ts";

test.each<[string, Generate]>([
  ["PP-LCNet", lcnet({ height: 64, width: 64 })],
  ["BERT", bert],
  ["convolutions", conv.conv],
])("%s", async (_name, generate) => {
  const { bytes, inputs } = generate();
  const { readable } = compress(bytes, { quantize: "fp16", optimize: true });
  const half = new Uint8Array(await new Response(readable).arrayBuffer());
  const model = await load(half);
  const feeds = Object.entries(inputs).map(([name, { type, dims, data }]) => [name, { dtype: type, shape: dims, data } as Tensor] as const);
  const plain: string[] = [];
  const ours = await model.run(Object.fromEntries(feeds), { onStep: ({ op_type, isKernel }) => void (isKernel || plain.push(op_type)) });
  // Integer arithmetic and the like stays plain.
  expect(plain.filter((op_type) => /Conv|MatMul|Gemm|Softmax|Norm|Pool|edgeslim/.test(op_type))).toEqual([]);
  for (const [name, { data }] of Object.entries(await runNode(half, inputs))) {
    const most = Math.max(...Array.from(data as Float32Array, Math.abs));
    for (let i = 0; i < data.length; i++) expect(Math.abs(Number(ours[name]?.data[i]) - Number(data[i]))).toBeLessThan(5e-3 * most);
  }
});
