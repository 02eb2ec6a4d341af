/** docs/support.md lists every operator: how it runs, or why it does not. */
import { expect, test } from "vitest";
import { makeNode } from "../../src/graph/graph.ts";
import { operators } from "../../src/ops/index.ts";
import { lowering } from "../../src/runtime/lower/index.ts";
import { section } from "../kit/support.ts";

const GENERATION = "generation of text is the caller's; the decoder runs step by step";
const TRAINED = "of graphs that onnxruntime has optimized for itself; run the model as it was exported";
const REASONS: Readonly<Record<string, string>> = {
  ImageDecoder: "decoding of JPEG and the like is the caller's",
  RegexFullMatch: "its patterns are RE2's, which never backtrack; JavaScript's do",
  TensorScatter: "opset 24",
};
const reason = (domain: string, name: string): string =>
  REASONS[name] ?? (/Search|Sampl|Tokenizer/.test(name) ? GENERATION : domain === "" ? "not yet" : TRAINED);

/** Operators of ONNX that fusions take before a kernel is looked for by name. */
const FUSED = /^(Conv|ConvTranspose|MaxPool|AveragePool|GlobalAveragePool|GlobalMaxPool|Resize|Upsample|Gemm)$/;
const ACTIVATIONS = /^(Relu|Sigmoid|Tanh|Softplus|Mish|Exp|Erf|LeakyRelu|Elu|HardSigmoid|HardSwish|Gelu|Swish|Clip|FastGelu|QuickGelu)$/;

function listed(domain: string): { body: string; count: number } {
  const all = [...(operators.get(domain) ?? new Map())].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const isTold = (name: string) => domain === "" && name === "Constant";
  const runs = all.filter(([name, op]) => isTold(name) || op.compute || op.control || op.fold);
  const byKernel = (name: string) =>
    (domain === "" && FUSED.test(name)) || ACTIVATIONS.test(name) || lowering(makeNode(name, [], ["y"], {}, domain)) !== undefined;
  const names = (kernel: boolean) =>
    runs
      .filter(([name]) => byKernel(name) === kernel)
      .map(([name]) => name)
      .join(", ");
  const missing = Map.groupBy(
    all.map(([name]) => name).filter((name) => !runs.some(([other]) => other === name)),
    (name) => reason(domain, name),
  );
  const not = [...missing].map(([why, some]) => `- ${some.join(", ")}: ${why}`);
  const body = [
    `By kernels, in float32 or int8 where they have one: ${names(true)}.`,
    `Plainly: ${names(false)}.`,
    `Not:\n\n${not.join("\n")}`,
  ];
  return { body: body.join("\n\n"), count: runs.length };
}

test.each([
  ["Operators of ai.onnx that run", "", 190],
  ["Operators of com.microsoft that run", "com.microsoft", 45],
])("%s", async (heading, domain, least) => {
  const { body, count } = listed(domain);
  expect(count).toBeGreaterThanOrEqual(least);
  await section(heading, body);
});
