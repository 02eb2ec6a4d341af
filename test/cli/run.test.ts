import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zipSync } from "fflate/browser";
import { describe, expect, test } from "vitest";
import { readNpy, writeNpy } from "../../src/io/npy.ts";
import type { Tensor } from "../../src/tensor.ts";
import type { TensorValue } from "../kit/models/model.ts";
import { encoder, halfModel, mlp, oddNames } from "../kit/models.ts";
import { runNode } from "../kit/ort.ts";
import { edgeslim, folder, listing } from "./spawn.ts";

export const tensorOf = ({ type, dims, data }: TensorValue): Tensor => ({ dtype: type, shape: dims, data: data as Tensor["data"] });

const close = (a: Tensor, b: ArrayLike<number>): void => {
  expect(a.data.length).toBe(b.length);
  for (let i = 0; i < b.length; i++)
    expect(Math.abs(Number(a.data[i]) - (b[i] as number))).toBeLessThan(1e-4 * (1 + Math.abs(b[i] as number)));
};

function modelFolder({ bytes, inputs } = mlp()): string {
  const cwd = folder();
  writeFileSync(join(cwd, "model.onnx"), bytes);
  Object.values(inputs).forEach((value, i) => {
    writeFileSync(join(cwd, `${i}.npy`), writeNpy(tensorOf(value)));
  });
  return cwd;
}

describe("edgeslim run", () => {
  test("writes what onnxruntime gives, and tells type, shape, statistics and latency", async () => {
    const { bytes, inputs } = mlp();
    const cwd = modelFolder();
    const { code, out, err } = await edgeslim(["run", "model.onnx", "--input", "x=0.npy", "-o", "out", "--repeat", "3"], { cwd });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const got = await readNpy(readFileSync(join(cwd, "out", "y.npy")));
    const { y } = await runNode(bytes, inputs);
    expect([got.dtype, got.shape]).toEqual(["float32", y?.dims]);
    close(got, y?.data as Float32Array);
    for (const line of [
      /^model\.onnx 37\.7 kB, loaded in/,
      /^ +y +float32 +4×32 +-?\d.* y\.npy$/m,
      /^latency +\d.* ms first, then \d.* median, \d.* p90 of 3 runs$/m,
      /^memory +\d+ kB$/m,
    ])
      expect(out).toMatch(line);
  });

  test("takes an archive, and a model from standard input; writes into this folder", async () => {
    const { bytes, inputs } = encoder();
    const cwd = folder();
    const arrays = Object.entries(inputs).map(([name, value]) => [`${name}.npy`, writeNpy(tensorOf(value))]);
    writeFileSync(join(cwd, "in.npz"), zipSync(Object.fromEntries(arrays)));
    const { code, err } = await edgeslim(["run", "-", "--input", "in.npz"], { cwd, input: bytes });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    for (const [name, { data }] of Object.entries(await runNode(bytes, inputs)))
      close(await readNpy(readFileSync(join(cwd, `${name}.npy`))), data as Float32Array);
  });

  test("takes an array from standard input", async () => {
    const { bytes, inputs } = mlp();
    const cwd = modelFolder();
    const input = readFileSync(join(cwd, "0.npy"));
    const { code, err } = await edgeslim(["run", "model.onnx", "--input", "x=-"], { cwd, input });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const { y } = await runNode(bytes, inputs);
    close(await readNpy(readFileSync(join(cwd, "y.npy"))), y?.data as Float32Array);
  });

  test.each([
    ["a folder as an array", ["model.onnx", "--input", "x=."], 1, /Cannot read \.: it is a folder/],
    ["standard input for both", ["-", "--input", "x=-"], 2, /cannot both be standard input/],
    ["standard output", ["model.onnx", "--input", "0.npy", "-o", "-"], 2, /name a folder with -o/],
  ])("refuses %s", async (_, args, code, message) => {
    const ended = await edgeslim(["run", ...args], { cwd: modelFolder() });
    expect([ended.code, ended.err]).toEqual([code, expect.stringMatching(message)]);
  });

  test("gives files names that every system takes", async () => {
    const model = oddNames();
    const cwd = modelFolder(model);
    const args = Object.keys(model.inputs).flatMap((name, i) => ["--input", `${name}=${i}.npy`]);
    const { code, err } = await edgeslim(["run", "model.onnx", ...args, "-o", "out"], { cwd });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const files = listing(join(cwd, "out"));
    expect(files.length).toBe(Object.keys(await runNode(model.bytes, model.inputs)).length);
    for (const file of files) expect(file).toMatch(/^[\w-][\w.-]*\.npy$/);
  });

  test("keeps float16 as float16", async () => {
    const model = halfModel();
    const cwd = modelFolder(model);
    const [name] = Object.keys(model.inputs);
    const { code } = await edgeslim(["run", "model.onnx", "--input", `${name}=0.npy`, "-o", "out"], { cwd });
    expect(code).toBe(0);
    const [[output, { type, dims }] = ["", { type: "", dims: [] }]] = Object.entries(await runNode(model.bytes, model.inputs));
    const got = await readNpy(readFileSync(join(cwd, "out", `${output}.npy`)));
    expect([got.dtype, got.shape]).toEqual([type, dims]);
  });

  test("tells every input, its type, shape and option, where some are not given", async () => {
    const model = encoder();
    const { code, out, err } = await edgeslim(["run", "model.onnx"], { cwd: modelFolder(model) });
    expect({ code, out }).toEqual({ code: 2, out: "" });
    for (const name of Object.keys(model.inputs)) expect(err).toMatch(new RegExp(`^  --input ${name}=FILE\\.npy    int64\\[`, "m"));
  });

  test.each<[number, string, string[], RegExp]>([
    [2, "no model", ["run"], /missing required argument 'model'/],
    [2, "a missing model", ["run", "gone.onnx"], /Cannot read the model gone\.onnx/],
    [2, "a missing input file", ["run", "model.onnx", "--input", "x=gone.npy"], /Cannot read gone\.npy/],
    [2, "an input twice", ["run", "model.onnx", "--input", "x=0.npy", "--input", "x=0.npy"], /The input x is given twice/],
    [2, "a name for an archive", ["run", "model.onnx", "--input", "x=a.npz"], /has its own names/],
    [2, "repeats that are no number", ["run", "model.onnx", "--input", "x=0.npy", "--repeat", "many"], /'many' is invalid/],
    [2, "an output over the input", ["run", "model.onnx", "--input", "x=y.npy"], /would overwrite the input y\.npy/],
    [1, "a folder that cannot be made", ["run", "model.onnx", "--input", "x=0.npy", "-o", "0.npy/out"], /Cannot write 0\.npy.out/],
    [
      3,
      "an unknown input",
      ["run", "model.onnx", "--input", "z=0.npy"],
      /model\.onnx has no input 'z'|no input 'z'; it takes x: float32\[batch,64\]/,
    ],
    [
      3,
      "another shape",
      ["run", "model.onnx", "--input", "x=wrong.npy"],
      /Input 'x' has the shape \[4,63\]; the model takes float32\[batch,64\]/,
    ],
    [3, "another type", ["run", "model.onnx", "--input", "x=double.npy"], /Input 'x' is float64; the model takes float32/],
    [3, "a file that is no array", ["run", "model.onnx", "--input", "x=model.onnx"], /model\.onnx: The file is no NumPy array/],
    [3, "safetensors", ["run", "model.safetensors", "--input", "x=0.npy"], /safetensors file holds weights without a graph/],
    [3, "what is no model", ["run", "0.npy", "--input", "x=0.npy"], /0\.npy: The leading bytes/],
  ])("%i for %s", async (expected, _, args, message) => {
    const cwd = modelFolder();
    writeFileSync(join(cwd, "wrong.npy"), writeNpy({ dtype: "float32", shape: [4, 63], data: new Float32Array(252) }));
    writeFileSync(join(cwd, "double.npy"), writeNpy({ dtype: "float64", shape: [4, 64], data: new Float64Array(256) }));
    writeFileSync(join(cwd, "y.npy"), readFileSync(join(cwd, "0.npy")));
    writeFileSync(join(cwd, "model.safetensors"), new Uint8Array([2, 0, 0, 0, 0, 0, 0, 0, 123, 125]));
    const before = listing(cwd);
    const { code, out, err } = await edgeslim(args, { cwd });
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n\s+at /);
    expect({ code, out }).toEqual({ code: expected, out: "" });
    expect(listing(cwd)).toEqual(before);
  });

  test("is interrupted without a trace", async () => {
    const cwd = modelFolder();
    mkdirSync(join(cwd, "out"));
    const { code } = await edgeslim(["run", "model.onnx", "--input", "x=0.npy", "-o", "out", "--repeat", "999999"], {
      cwd,
      started: (child) => void setTimeout(() => child.kill("SIGINT"), 1500),
    });
    expect(code).toBe(130);
    expect(existsSync(join(cwd, "out", "y.npy"))).toBe(false);
  });
});
