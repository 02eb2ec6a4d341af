/** Recurrent layers by kernels give what onnxruntime gives. */
import { expect, test } from "vitest";
import { load } from "../../src/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { FLOAT } from "../kit/models/model.ts";
import { type AttributeSpec, DataType, encodeModel, f32, node, randn, tensor, value } from "../kit/onnx.ts";
import { runNode } from "../kit/ort.ts";

interface Layer {
  op: "LSTM" | "GRU" | "RNN";
  direction?: "forward" | "reverse" | "bidirectional";
  /** Lengths of the sequences. */
  lens?: readonly number[];
  /** Whether it has a bias, states before, and peepholes. */
  has?: string;
  /** Its outputs, by place. */
  outputs?: readonly string[];
  attributes?: Record<string, AttributeSpec>;
  hidden?: number;
}

const [LENGTH, BATCH, SIZE] = [5, 3, 6];

async function differences({
  op,
  direction = "forward",
  lens,
  has = "b",
  outputs,
  attributes = {},
  hidden = 10,
}: Layer): Promise<number[]> {
  const gates = { LSTM: 4, GRU: 3, RNN: 1 }[op];
  const directions = direction === "bidirectional" ? 2 : 1;
  const random = (name: string, seed: number, ...dims: number[]) =>
    f32(
      name,
      dims,
      randn(
        dims.reduce((a, b) => a * b),
        seed,
        0.5,
      ),
    );
  const state = [directions, BATCH, hidden] as const;
  const initializers = [
    random("w", 1, directions, gates * hidden, SIZE),
    random("r", 2, directions, gates * hidden, hidden),
    ...(has.includes("b") ? [random("b", 3, directions, 2 * gates * hidden)] : []),
    ...(lens ? [tensor("lens", DataType.INT32, [BATCH], Int32Array.from(lens))] : []),
    ...(has.includes("h") ? [random("h", 4, ...state)] : []),
    ...(has.includes("c") ? [random("c", 5, ...state)] : []),
    ...(has.includes("p") ? [random("p", 6, directions, 3 * hidden)] : []),
  ];
  const inputs = ["x", "w", "r", "b", "lens", "h", "c", "p"].map((name) =>
    name === "x" || initializers.some((each) => each.name === name) ? name : "",
  );
  while (inputs.at(-1) === "") inputs.pop();
  const named = outputs ?? (op === "LSTM" ? ["y", "last", "cell"] : ["y", "last"]);
  const ranks: Record<string, number> = { y: 4, last: 3, cell: 3 };
  const bytes = encodeModel({
    opsets: { "": 14 },
    graph: {
      nodes: [node(op, inputs, named, { hidden_size: hidden, direction, ...attributes })],
      initializers,
      inputs: [value("x", FLOAT, ["length", BATCH, SIZE])],
      outputs: named.filter(Boolean).map((name) =>
        value(
          name,
          FLOAT,
          Array.from({ length: ranks[name] as number }, (_, i) => `${name}${i}`),
        ),
      ),
    },
  });
  const data = randn(LENGTH * BATCH * SIZE, 7);
  const model = await load(bytes);
  const isKernel: boolean[] = [];
  const onStep = (step: { isKernel: boolean }) => isKernel.push(step.isKernel);
  const ours = (await model.run({ x: { dtype: "float32", shape: [LENGTH, BATCH, SIZE], data } }, { onStep })) as Record<string, Tensor>;
  expect(isKernel).toEqual([true]);
  const theirs = await runNode(bytes, { x: { type: "float32", dims: [LENGTH, BATCH, SIZE], data } });
  return Object.entries(theirs).map(([name, expected]) => {
    expect(ours[name]?.shape).toEqual([...expected.dims]);
    return Math.max(
      ...Array.from(expected.data as Float32Array, (v, i) => Math.abs(v - ((ours[name] as Tensor).data as Float32Array)[i]!)),
    );
  });
}

const layers: readonly Layer[] = [
  { op: "LSTM" },
  { op: "LSTM", direction: "bidirectional", has: "bhcp" },
  { op: "LSTM", direction: "reverse", has: "" },
  { op: "LSTM", outputs: ["", "last"], has: "bh" },
  { op: "LSTM", outputs: ["", "", "cell"], hidden: 16 },
  { op: "LSTM", direction: "bidirectional", lens: [5, 2, 3], has: "bhc" },
  { op: "LSTM", outputs: ["y"] },
  { op: "GRU" },
  { op: "GRU", direction: "bidirectional", has: "bh", attributes: { linear_before_reset: 1 } },
  { op: "GRU", direction: "reverse", has: "", hidden: 16 },
  { op: "GRU", direction: "bidirectional", lens: [1, 5, 4], has: "bh" },
  { op: "GRU", outputs: ["", "last"], attributes: { linear_before_reset: 1 } },
  { op: "RNN", direction: "bidirectional", has: "bh" },
  { op: "RNN", outputs: ["", "last"], has: "b" },
  { op: "RNN", direction: "reverse", lens: [2, 5, 1], has: "" },
];

test.each(layers)("$op $direction, $has, lengths $lens, outputs $outputs", async (layer) => {
  for (const difference of await differences(layer)) expect(difference).toBeLessThan(1e-5);
});
