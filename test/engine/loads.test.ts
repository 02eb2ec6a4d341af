import { mkdir, readFile, writeFile } from "node:fs/promises";
import { afterAll, describe, expect, test } from "vitest";
import { detectorInput, pageOf, recognizerInput, renderLine, textLines } from "../../demo/ocr.ts";
import { compress, UnsupportedError } from "../../src/index.ts";
import { everyModel, type Feeds } from "../kit/models.ts";
import { EXACT, type Outputs, openNode, openWeb, sqnr } from "../kit/ort.ts";
import { readRealModel, realModels } from "../kit/realmodels.ts";
import { type Restored, restoredWeights } from "./restored.ts";

const SCHEMES = ["fp16", "bf16", "w8", "w4"] as const;
/** dB below the round-to-nearest reference that a scheme may lose. */
const TOLERANCE = 0.5;

interface Subject {
  name: string;
  opset: number;
  note: string;
  bytes: () => Promise<Uint8Array>;
  feeds: () => Promise<readonly Feeds[]>;
}

/** Noise says nothing of a model of text: these two get what they are made for. */
const realFeeds: Record<string, () => Promise<Feeds>> = {
  [realModels.detector.name]: async () => ({
    x: detectorInput(pageOf(await Promise.all(textLines(6).map(renderLine)))),
  }),
  [realModels.recognizer.name]: async () => ({ x: recognizerInput(await renderLine(textLines(1)[0] as string)) }),
};

const subjects: Subject[] = [
  ...Object.values(realModels).map((m) => ({
    name: m.name,
    opset: m.opset,
    note: m.note,
    bytes: () => readRealModel(m),
    feeds: async () => [(await realFeeds[m.name]?.()) ?? m.inputs],
  })),
  ...everyModel().map((m) => ({
    name: m.name,
    opset: m.opset,
    note: m.note,
    bytes: async () => m.bytes,
    feeds: async () => [m.inputs, ...m.more],
  })),
];

/** The cells of docs/support.md: why a scheme is refused, or the least signal to noise over outputs (dB). */
const cells = new Map<string, string>();
const cellName = (subject: Subject, scheme: string) => `${subject.name} @${subject.opset} ${scheme}`;

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Outputs of all feeds, with weights in float where onnxruntime-node would quantize activations by itself. */
async function outputs(open: typeof openWeb, model: Uint8Array, feeds: readonly Feeds[]): Promise<Outputs[]> {
  await using runner = await open(model, open === openNode ? EXACT : {});
  const all: Outputs[] = [];
  for (const feed of feeds) all.push(await runner.run(feed));
  return all;
}

/** The least signal to noise of any float output. */
function worst(reference: readonly Outputs[], actual: readonly Outputs[]): number {
  let least = Number.POSITIVE_INFINITY;
  reference.forEach((outs, i) => {
    for (const [name, { data, dims }] of Object.entries(outs)) {
      const got = actual[i]?.[name];
      expect(got?.dims, `shape of ${name}`).toEqual(dims);
      if (data instanceof Float32Array || data instanceof Float64Array) least = Math.min(least, sqnr(data, got?.data as Float32Array));
    }
  });
  return least;
}

/** The source with the reference's values in the place of its raw f32 weights; undefined where some are stored otherwise. */
function withReference(source: Uint8Array, weights: readonly Restored[]): Uint8Array | undefined {
  const copy = Buffer.from(source);
  for (const { original, reference } of weights) {
    const raw = Buffer.from(Float32Array.from(original).buffer);
    const at = copy.indexOf(raw);
    if (at < 0) return undefined;
    Buffer.from(Float32Array.from(reference).buffer).copy(copy, at);
  }
  return copy;
}

describe.each(subjects)("$name @$opset", (subject) => {
  test.each(SCHEMES)("loads and keeps its signal under %s", async (scheme) => {
    const source = await subject.bytes();
    const streamed = compress(new Blob([source as Uint8Array<ArrayBuffer>]).stream(), { quantize: scheme });
    const { readable, report } = compress(source, { quantize: scheme });
    const result = await bytesOf(readable).catch((error: unknown) => error);
    if (result instanceof UnsupportedError) {
      await expect(bytesOf(streamed.readable)).rejects.toBeInstanceOf(UnsupportedError);
      cells.set(
        cellName(subject, scheme),
        result.message.includes("change nothing")
          ? "nothing to do"
          : result.message.replace(/^Tensor '.*': /, "").replace(/, and the.*/, ""),
      );
      return;
    }
    if (!(result instanceof Uint8Array)) throw result;
    if (subject.name === "output-weight" && scheme === "w4") {
      // That the weight is an output too stands behind it in the file.
      await expect(bytesOf(streamed.readable)).rejects.toThrow("read again");
      return void cells.set(cellName(subject, scheme), "as a source only");
    }
    const pieced = await bytesOf(streamed.readable);
    const { tensors } = await report;

    const weights = restoredWeights(source, result);
    expect(weights.map((w) => w.name).sort()).toEqual(
      tensors
        .filter((t) => t.action !== "kept")
        .map((t) => t.name)
        .sort(),
    );
    for (const { name, kind, restored, reference, sqnr: ours, referenceSqnr } of weights) {
      if (kind === "half") expect(Array.from(restored), name).toEqual(Array.from(reference));
      else expect(ours, name).toBeGreaterThanOrEqual(referenceSqnr - TOLERANCE);
      const reported = tensors.find((t) => t.name === name)?.sqnr_db;
      if (reported !== undefined && kind !== "half" && weights.filter((w) => w.name === name).length === 1)
        expect(Math.abs(reported - ours), `reported sqnr of ${name}`).toBeLessThan(0.05);
    }
    expect(restoredWeights(source, pieced).map((w) => Array.from(w.restored))).toEqual(weights.map((w) => Array.from(w.restored)));

    const feeds = await subject.feeds();
    const reference = withReference(source, weights);
    let least = Number.POSITIVE_INFINITY;
    for (const open of [openNode, openWeb]) {
      const original = await outputs(open, source, feeds);
      const ours = worst(original, await outputs(open, result, feeds));
      const theirs = reference ? worst(original, await outputs(open, reference, feeds)) : ours;
      expect(ours).toBeGreaterThanOrEqual(theirs - TOLERANCE);
      expect(worst(original, await outputs(open, pieced, feeds))).toBeCloseTo(ours, 1);
      least = Math.min(least, ours);
    }
    cells.set(cellName(subject, scheme), Number.isFinite(least) ? `${Math.round(least)} dB` : "exact");
  });
});

/** docs/support.md as the runs above have it. */
function document(): string {
  const rows = subjects.map(
    (subject) =>
      `| ${subject.name} | ${subject.opset} | ${SCHEMES.map((scheme) => cells.get(cellName(subject, scheme)) ?? "?").join(" | ")} |`,
  );
  return [
    "# What loads",
    "",
    "Written by `npm run docs` from `test/engine/loads.test.ts`; the tests fail when a cell changes its kind. A cell with a figure means:",
    "the result of every layout loads in onnxruntime-node and onnxruntime-web 1.30, each weight has at least the signal to noise of a",
    "round-to-nearest reference in double precision less 0.5 dB (fp16 and bf16: equal to the correctly rounded weight), and so have the",
    "outputs, on random inputs (on rendered text for PP-OCR), where the source stores its weights as raw float32. The figure is the least",
    "signal to noise over outputs. In onnxruntime-node with `qdq_matmulnbits_accuracy_level` 0: by default it also quantizes the activations",
    "of a matrix product whose weight is dequantized, at about 45 dB.",
    "",
    `| model | opset | ${SCHEMES.join(" | ")} |`,
    `|---|---|${SCHEMES.map(() => "---").join("|")}|`,
    ...rows,
    "",
  ].join("\n");
}

const SUPPORT = new URL("../../docs/support.md", import.meta.url);
/** A table's cells without their figures. */
const kinds = (table: string) => table.replaceAll(/-?\d+ dB|exact/g, "loads");

afterAll(async () => {
  if (cells.size < subjects.length * SCHEMES.length) return; // a filtered run
  if (process.env.EDGESLIM_WRITE_DOCS) {
    await mkdir(new URL(".", SUPPORT), { recursive: true });
    await writeFile(SUPPORT, document());
  }
  expect(kinds(await readFile(SUPPORT, "utf8"))).toBe(kinds(document()));
});
