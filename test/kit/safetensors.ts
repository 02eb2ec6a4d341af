/** A writer and a reader of safetensors that know nothing of the product: https://huggingface.co/docs/safetensors */
import { randn } from "./onnx.ts";
import { bytesOf } from "./wire.ts";

export interface Tensor {
  dtype: string;
  shape: number[];
  data: Uint8Array;
}

export function writeTensors(tensors: Record<string, Tensor>, metadata?: Record<string, string>): Uint8Array<ArrayBuffer> {
  let at = 0;
  const entries = Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
    const data_offsets = [at, at + data.byteLength];
    at += data.byteLength;
    return [name, { dtype, shape, data_offsets }];
  });
  const json = new TextEncoder().encode(
    JSON.stringify({ ...(metadata ? { __metadata__: metadata } : {}), ...Object.fromEntries(entries) }),
  );
  const head = new Uint8Array(8);
  new DataView(head.buffer).setBigUint64(0, BigInt(json.byteLength), true);
  return new Uint8Array(Buffer.concat([head, json, ...Object.values(tensors).map(({ data }) => data)]));
}

export function readTensors(bytes: Uint8Array): { tensors: Record<string, Tensor>; metadata: Record<string, string> } {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const tensors = Object.entries(entries as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>).map(
    ([name, { dtype, shape, data_offsets }]): [string, Tensor] => [
      name,
      { dtype, shape, data: bytes.slice(8 + length + data_offsets[0], 8 + length + data_offsets[1]) },
    ],
  );
  return { tensors: Object.fromEntries(tensors), metadata };
}

/** A normally distributed F32 tensor, and its values. */
export const randomTensor = (shape: number[], seed: number): Tensor & { values: Float32Array } => {
  const values = randn(
    shape.reduce((a, b) => a * b),
    seed,
  );
  return { dtype: "F32", shape, data: bytesOf(values), values };
};

/** The values of an F32 tensor. */
export const floatsOf = (tensor: Tensor): Float32Array => new Float32Array(tensor.data.slice().buffer);
