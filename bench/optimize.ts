// The claim of `optimize` against onnxsim: `node bench/optimize.ts`. Prints its section of RESULTS.md; fails where the claim does.
//
// Nodes are counted without Constant, which onnxsim leaves in and which computes nothing, and with it. Errors are those of the outputs against
// the source's, all in onnxruntime with its own optimizations off; what these change by themselves stands beside. The inputs are text as it
// is rendered, and smooth pictures: on noise a detector finds nothing, and what it gives is rounding.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { detectorInput, pageOf, recognizerInput, relativeError, renderLine, textLines } from "../demo/ocr.ts";
import { compress, UnsupportedError } from "../src/index.ts";
import { bert } from "../test/kit/models/bert.ts";
import { vit } from "../test/kit/models/encoders.ts";
import { keras, mobilenet, mobilenetV3 } from "../test/kit/models/mobile.ts";
import type { Feeds, TensorValue } from "../test/kit/models/model.ts";
import { encoder } from "../test/kit/models/text.ts";
import { type Outputs, runNode } from "../test/kit/ort.ts";
import { everyGraph, readOnnx } from "../test/kit/readonnx.ts";
import { readRealModel, realModels } from "../test/kit/realmodels.ts";
import { environment, measured, script } from "./python/environment.ts";
import { markdownTable, section } from "./report.ts";

/** Error that rounding alone may make where onnxruntime's own optimizations make less. */
const ROUNDING = 1e-5;

interface Model {
  name: string;
  bytes: Uint8Array;
  inputs: Feeds;
}

/** A picture of soft waves in -1..1, channels last. */
function picture(size: number): TensorValue {
  const wave = (i: number): number => {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % size, Math.floor(i / 3 / size)];
    return 0.6 * Math.sin(((x + 20 * c) * 7) / size) * Math.cos((y * 5) / size) + 0.3 * Math.sin(((x - y) * 11) / size);
  };
  return { type: "float32", dims: [1, size, size, 3], data: Float32Array.from({ length: size * size * 3 }, (_, i) => wave(i)) };
}

async function models(): Promise<Model[]> {
  const lines = await Promise.all(textLines(12).map((line) => renderLine(line)));
  const line = recognizerInput(lines[0] as (typeof lines)[number]);
  const inputs: Partial<Record<keyof typeof realModels, Feeds>> = {
    detector: { x: detectorInput(pageOf(lines)) },
    recognizer: { x: line },
    classifier: { x: line },
    faceBack: { "input:0": picture(256) },
    faceFront: { "input:0": picture(128) },
  };
  const real = Object.entries(inputs).map(async ([key, feeds]) => {
    const model = realModels[key as keyof typeof realModels];
    return { name: model.name, bytes: await readRealModel(model), inputs: feeds };
  });
  const generated = [encoder, bert, vit, mobilenet, keras, mobilenetV3].map((generate) => generate());
  return [...(await Promise.all(real)), ...generated.map((model) => ({ ...model, name: `${model.name} (generated)` }))];
}

const run = (model: Uint8Array, inputs: Feeds, level: "disabled" | "all" = "disabled"): Promise<Outputs> =>
  runNode(model, inputs, { graphOptimizationLevel: level });

/** A model that would not change is refused: it is its own result. */
async function optimized(model: Uint8Array): Promise<Uint8Array> {
  const { readable, report } = compress(model, { optimize: true });
  report.catch(() => {}); // it fails where `readable` does
  const body = new Response(readable as never).arrayBuffer();
  return new Uint8Array(
    await body.catch((cause: unknown) => {
      if (cause instanceof UnsupportedError && /change nothing/.test(cause.message)) return model;
      throw cause;
    }),
  );
}

/** The largest relative error over outputs. */
const error = (a: Outputs, b: Outputs): number =>
  Math.max(
    ...Object.entries(a).map(([name, { data }]) => relativeError(data as Float32Array, (b[name] as Outputs[string]).data as Float32Array)),
  );

const nodes = (bytes: Uint8Array): [computing: number, all: number] => {
  const types = [...everyGraph(readOnnx(bytes))].flatMap((graph) => graph.nodes.map(({ op_type }) => op_type));
  return [types.filter((type) => type !== "Constant").length, types.length];
};

const folder = await mkdtemp(join(tmpdir(), "edgeslim-optimize-"));
const failed: string[] = [];
try {
  const python = await environment();
  const [from, to] = [join(folder, "source.onnx"), join(folder, "onnxsim.onnx")];
  const rows: string[][] = [];
  for (const { name, bytes, inputs } of await models()) {
    await writeFile(from, bytes);
    const { error: refused } = await measured(python, [python, script("simplify.py"), from, to]);
    if (refused) throw new Error(`onnxsim fails on ${name}: ${refused}`);
    const theirs = new Uint8Array(await readFile(to));
    const ours = await optimized(bytes);
    const expected = await run(bytes, inputs);
    const [own, other] = [error(expected, await run(ours, inputs)), error(expected, await run(theirs, inputs))];
    const spread = error(expected, await run(bytes, inputs, "all"));
    const holds = nodes(ours)[0] <= nodes(theirs)[0] && ours.byteLength <= theirs.byteLength && own <= Math.max(ROUNDING, spread);
    if (!holds) failed.push(name);
    const sides = [bytes, theirs, ours];
    rows.push([
      name,
      sides.map((side) => nodes(side)[0]).join(" → "),
      sides.map((side) => nodes(side)[1]).join(" → "),
      sides.map((side) => kb(side.byteLength)).join(" → "),
      [own, other, spread].map((x) => (x === 0 ? "0" : x.toExponential(0))).join(", "),
      holds ? "yes" : "**no**",
    ]);
    console.log(rows.at(-1)?.join("  "));
  }
  const markdown = `## Optimize, against onnxsim

What is left of each model, source → onnxsim 0.8 → ours: no more nodes that compute, no more bytes; and outputs as near to the source's as
onnxruntime's own optimizations leave them, or within ${ROUNDING}:

${markdownTable(["model", "nodes", "with Constant", "kB", "error: ours, onnxsim's, onnxruntime's", "holds"], rows)}`;
  console.log(markdown);
  await section("Optimize, against onnxsim", markdown);
} finally {
  await rm(folder, { recursive: true, force: true });
}
if (failed.length > 0) {
  console.error(`Not reached: ${failed.join("; ")}`);
  process.exitCode = 1;
}

function kb(bytes: number): string {
  return (bytes / 1e3).toFixed(0);
}
