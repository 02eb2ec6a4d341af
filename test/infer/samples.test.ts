import { zipSync } from "fflate/browser";
import { expect, test } from "vitest";
import { writeNpy } from "../../src/io/npy.ts";
import { memorySource, type Source } from "../../src/io/source.ts";
import type { Port } from "../../src/runtime/ports.ts";
import { openSamples } from "../../src/runtime/samples.ts";
import type { Tensor } from "../../src/tensor.ts";

const floats = (...shape: number[]): Tensor => {
  const n = shape.reduce((a, b) => a * b, 1);
  return { dtype: "float32", shape, data: Float32Array.from({ length: n }, (_, i) => i) };
};
const npz = (arrays: Record<string, Tensor>): Uint8Array =>
  zipSync(Object.fromEntries(Object.entries(arrays).map(([name, tensor]) => [`${name}.npy`, writeNpy(tensor)])));
const folder = (files: Record<string, Uint8Array>): Map<string, Source> =>
  new Map(Object.entries(files).map(([name, bytes]) => [name, memorySource(bytes)]));

const image: Port = { name: "image", dtype: "float32", shape: ["batch", 2, 2] };
const fixed: Port = { name: "image", dtype: "float32", shape: [2, 2, 2] };
const flat: Port = { name: "scale", dtype: "float32", shape: [1, 2] };

async function gathered(files: Record<string, Uint8Array>, ports: Port[]) {
  const samples = await openSamples(folder(files), ports);
  const all: Record<string, unknown>[] = [];
  for await (const feeds of samples) {
    all.push(
      Object.fromEntries(
        Object.entries(feeds).map(([name, datum]) => [name, [(datum as Tensor).shape, Array.from((datum as Tensor).data as Float32Array)]]),
      ),
    );
  }
  expect(samples.count).toBe(all.length);
  return all;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

test("one array holds samples along its first axis: batches of one where the model says none", async () => {
  expect(await gathered({ "a.npy": writeNpy(floats(3, 2, 2)) }, [image])).toEqual(
    [0, 1, 2].map((i) => ({ image: [[1, 2, 2], range(i * 4, i * 4 + 4)] })),
  );
});

test("one array is cut into batches of the model's own size", async () => {
  expect(await gathered({ "a.npy": writeNpy(floats(4, 2, 2)) }, [fixed])).toEqual([
    { image: [[2, 2, 2], range(0, 8)] },
    { image: [[2, 2, 2], range(8, 16)] },
  ]);
  await expect(gathered({ "a.npy": writeNpy(floats(3, 2, 2)) }, [fixed])).rejects.toThrow(/a\.npy: .*\[3,2,2\].*float32\[2,2,2\]/);
});

test("an axis more than the model's is the samples'", async () => {
  expect(await gathered({ "a.npy": writeNpy(floats(2, 1, 2, 2)) }, [image])).toEqual([
    { image: [[1, 2, 2], range(0, 4)] },
    { image: [[1, 2, 2], range(4, 8)] },
  ]);
});

test("several files are a sample each, in the order of their names; others are passed over", async () => {
  const files = {
    "b.npy": writeNpy(floats(3, 2, 2)),
    "a.npy": writeNpy(floats(1, 2, 2)),
    "labels.txt": new Uint8Array(3),
    ".c.npy": new Uint8Array(3),
  };
  expect(await gathered(files, [image])).toEqual([{ image: [[1, 2, 2], range(0, 4)] }, { image: [[3, 2, 2], range(0, 12)] }]);
});

test("an archive holds as many samples as each of its arrays, or is one", async () => {
  const batch: Port = { name: "scale", dtype: "float32", shape: ["batch", 2] };
  const arrays = { image: floats(2, 2, 2), scale: floats(2, 2) };
  expect(await gathered({ "a.npz": npz(arrays) }, [image, batch])).toEqual([
    { image: [[1, 2, 2], range(0, 4)], scale: [[1, 2], range(0, 2)] },
    { image: [[1, 2, 2], range(4, 8)], scale: [[1, 2], range(2, 4)] },
  ]);
  const one = { image: floats(2, 2, 2), scale: floats(1, 2) };
  expect(await gathered({ "a.npz": npz(one) }, [image, flat])).toEqual([{ image: [[2, 2, 2], range(0, 8)], scale: [[1, 2], range(0, 2)] }]);
});

test("can be gone through again", async () => {
  const samples = await openSamples(folder({ "a.npy": writeNpy(floats(3, 2, 2)) }), [image]);
  for (let again = 0; again < 2; again++) {
    let n = 0;
    for await (const _ of samples) n++;
    expect(n).toBe(3);
  }
});

test.each<[string, Record<string, Uint8Array>, Port[], RegExp]>([
  ["no array", { "readme.txt": new Uint8Array(3) }, [image], /no samples: expected files \.npz/],
  ["an array of no samples", { "a.npy": writeNpy(floats(0, 2, 2)) }, [image], /a\.npy: .*length 0/],
  ["a .npy for two inputs", { "a.npy": writeNpy(floats(1, 2, 2)) }, [image, flat], /a\.npy: .*takes image: float32\[batch,2,2\], scale: /],
  ["an unknown name", { "a.npz": npz({ image: floats(1, 2, 2), label: floats(1) }) }, [image], /a\.npz: there is no input 'label'/],
  ["a missing name", { "a.npz": npz({ image: floats(1, 2, 2) }) }, [image, flat], /a\.npz: the input scale: float32\[1,2\] is missing/],
  ["a broken archive", { "a.npz": new Uint8Array(100) }, [image], /a\.npz: .*no \.npz archive/],
  ["a broken array", { "a.npy": writeNpy(floats(1, 2, 2)).subarray(0, 130) }, [image], /a\.npy: .*takes 16 bytes, and 2 are there/],
])("refuses %s", async (_, files, ports, message) => {
  await expect(gathered(files, ports)).rejects.toThrow(message);
});
