import { describe, expect, test } from "vitest";
import { compress, inspect } from "../../src/index.ts";
import { DataType, encodeModel, f32, node, randn, value } from "../kit/onnx.ts";
import { readOnnx } from "../kit/readonnx.ts";
import { bytesOf, concat, prefix } from "../kit/wire.ts";
import { attempt, DOORS, drain, type Outcome, streamOf } from "./attempt.ts";
import { safetensors } from "./corpus.ts";
import * as traps from "./traps.ts";

/** Milliseconds of processor time that a run takes: other processes do not count. */
async function cost(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Twice the size may take three times as long, and some for the machine's moods: quadratic work takes four times. */
const within = (small: number): number => 3 * small + 1500;

describe.each([
  ["a chain of Cast", (n: number) => traps.chain(n), 20_000],
  ["a chain of Cast with a reader at each link", (n: number) => traps.chain(n, true), 8_000],
  ["a weight with many readers", traps.manyReaders, 20_000],
  ["one name for many weights", traps.oneName, 1_500],
  ["pieces of one field, Constants and initializers in turn", traps.alternating, 1_500],
  ["initializers that are inputs too", traps.listed, 15_000],
  ["a ring", traps.ring, 30_000],
] as const)("%s", (_name, make, n) => {
  test.each(["w8", "w4"] as const)("%s: twice as many cost twice as much", async (quantize) => {
    const [small, large] = [make(n / 2), make(n)];
    const run = (bytes: Uint8Array) => async (): Promise<void> => {
      // The largest leave a graph that is over the limit, with what was added to it: then nothing may be written by halves.
      const recipe = { quantize };
      for (const from of [bytes, streamOf(bytes, 1 << 16)]) {
        const { readable, report } = compress(from, recipe);
        report.catch(() => {});
        await drain(readable).catch((error: Error) => expect(error.name).toMatch(/^(Format|Unsupported|Limit)Error$/));
      }
      await inspect(bytes).catch((error: Error) => expect(error.name).toMatch(/^(Format|Limit)Error$/));
    };
    await run(small)(); // warms up
    const once = await cost(run(small));
    expect(await cost(run(large))).toBeLessThan(within(once));
  });
});

test("an upgrade of twice as many nodes costs twice as much", async () => {
  const run = (bytes: Uint8Array) => async (): Promise<void> => {
    for (const from of [bytes, streamOf(bytes, 1 << 16)]) {
      const { readable, report } = compress(from, { quantize: "bf16" });
      await drain(readable);
      expect((await report).warnings[0]?.code).toBe("opset-upgraded");
    }
    await inspect(bytes);
  };
  const [small, large] = [traps.older(2000), traps.older(4000)];
  await run(small)(); // warms up
  const once = await cost(run(small));
  expect(await cost(run(large))).toBeLessThan(within(once));
});

describe.each([
  ["a chain of Identity with a reader at each link", traps.identities, { optimize: true }],
  ["a chain of Transpose", traps.transposes, { optimize: true }],
  ["a chain of Transpose", traps.transposes, { quantize: "q4f16" }],
  ["a chain that leads nowhere", traps.deadEnds, { optimize: true }],
  ["constants that are nearly alike", traps.alike, { optimize: true }],
  ["frequencies", traps.frequencies, { quantize: "q4f16" }],
  ["frequencies", traps.frequencies, { optimize: true, quantize: "fp16" }],
] as const)("%s", (_name, make, recipe) => {
  test(`${JSON.stringify(recipe)}: twice as many cost twice as much`, async () => {
    const run = (bytes: Uint8Array) => async (): Promise<void> => {
      const { readable, report } = compress(bytes, recipe);
      report.catch(() => {});
      await drain(readable);
    };
    const [small, large] = [make(4_000), make(8_000)];
    await run(small)(); // warms up
    const once = await cost(run(small));
    expect(await cost(run(large))).toBeLessThan(within(once));
  });
});

describe("nodes that ask for what there is not", () => {
  test.each(traps.absurd)("%s", async (_what, nodes, constants) => {
    const bytes = traps.absurdity(nodes, constants);
    for (const recipe of [
      { optimize: true },
      { optimize: true, quantize: "fp16" },
      { quantize: "q4f16" },
      { optimize: true, quantize: "q8" },
    ] as const) {
      const taken = await cost(async () => {
        for (const door of ["source", "stream"] as const) {
          const { output, refusal } = await attempt(door, bytes, recipe);
          expect(refusal?.name ?? "", `${refusal}`).toMatch(/^(UnsupportedError|FormatError|)$/);
          if (output) expect(output.length, "a file does not grow").toBeLessThan(bytes.length + 20_000);
        }
      });
      expect(taken, "ms").toBeLessThan(2000);
    }
  });
});

const each = async (bytes: Uint8Array, quantize: "w8" | "w4" = "w8"): Promise<Outcome[]> => {
  const outcomes: Outcome[] = [];
  for (const door of DOORS) outcomes.push(await attempt(door, bytes, { quantize }));
  return outcomes;
};

describe("graphs without end", () => {
  test("100,000 Cast nodes are over the limit, not over the stack", async () => {
    for (const { refusal } of await each(traps.chain(100_000))) expect(refusal?.message).toContain("MAX_GRAPH_BYTES");
  });

  test("a million nodes from a stream that could go on", async () => {
    let sent = 0;
    const nodes = concat(Array.from({ length: 4096 }, () => Uint8Array.of(0x0a, 0x00))); // NodeProto without a field
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(concat([Uint8Array.of(0x08, 8), prefix(7, 2 ** 40)])),
      pull(controller) {
        sent += nodes.length;
        controller.enqueue(nodes);
      },
    });
    await expect(inspect(stream)).rejects.toThrow("MAX_GRAPH_BYTES");
    expect(sent).toBeLessThan(2_000_000);
  });

  test("an If in an If, 1000 deep", async () => {
    for (const { refusal } of await each(traps.nested(1000))) expect(refusal?.message).toContain("MAX_DEPTH");
    for (const { refusal } of await each(traps.nested(5))) expect(refusal).toBeUndefined();
  });

  test("a header of JSON 100,000 deep, as list, as object, as dtype", async () => {
    const [open, close] = ["[".repeat(100_000), "]".repeat(100_000)];
    const objects = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
    for (const header of [`{"w":${open}${close}}`, `{"w":${objects}}`, `{"w":{"dtype":${open}${close},"shape":[],"data_offsets":[0,0]}}`]) {
      for (const { refusal } of await each(safetensors(header))) expect(refusal?.name).toBe("FormatError");
    }
  });

  test("a name as long as the header does not make an error as long", async () => {
    for (const name of ["_".repeat(1 << 20), "_embedding".repeat(100_000), `${"embed".repeat(200_000)}-`]) {
      const taken = await cost(async () => {
        for (const { refusal } of await each(
          safetensors({ [name]: { dtype: "F32", shape: [1], data_offsets: [0, 8] } }, new Uint8Array(8)),
        )) {
          expect(refusal?.message.length).toBeLessThan(2000);
        }
        await each(safetensors({ [name]: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }, new Uint8Array(4)));
      });
      expect(taken, "ms").toBeLessThan(5000);
    }
  });
});

/** Names that mean something to JavaScript, JSON, UTF-8 or C. */
const NAMES = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "__defineGetter__",
  "a\u0000b",
  "line\nbreak",
  '"quoted\\',
  "0",
  "\ufeffw",
  "w",
  "\u202e",
];

describe("names that mean something else", () => {
  test("safetensors", async () => {
    const entries = NAMES.map((name, i) => [name, { dtype: "F32", shape: [32, 32], data_offsets: [i * 4096, (i + 1) * 4096] }]);
    const bytes = safetensors(Object.fromEntries(entries), bytesOf(randn(1024 * NAMES.length, 3)));
    const { readable, report } = compress(bytes, { quantize: "w8" });
    const output = await drain(readable);
    expect((await report).tensors.map(({ name }) => name)).toEqual(NAMES);
    const told = await inspect(output);
    expect(told.tensors.map(({ name }) => name).sort()).toEqual(NAMES.flatMap((name) => [name, `${name}_scale`]).sort());
  });

  test("ONNX: weights, nodes, operators and attributes", async () => {
    const bytes = encodeModel({
      graph: {
        nodes: NAMES.flatMap((name, i) => [
          node("MatMul", ["x", name], [`m${i}`], {}, { name }),
          node(name, [`m${i}`, name], [`o${i}`], { ["__proto__"]: 1, [`a${name}`]: 2 }, { name, domain: name }),
        ]),
        initializers: NAMES.map((name, i) => f32(name, [32, 32], randn(1024, i + 1))),
        inputs: [value("x", DataType.FLOAT, [1, 32])],
        outputs: [],
      },
      opsets: { "": 13, custom: 1 },
    });
    const told = await inspect(bytes);
    expect(Object.keys(told.operators ?? {})).toContain("__proto__.__proto__");
    for (const from of [bytes, streamOf(bytes)]) {
      const { readable, report } = compress(from, { quantize: "w8" });
      const decoded = readOnnx(await drain(readable));
      expect((await report).tensors.map(({ name, action }) => `${name}: ${action}`)).toEqual(NAMES.map((name) => `${name}: w8`));
      const defined = new Set([
        ...decoded.inputs.map(({ name }) => name),
        ...decoded.initializers.keys(),
        ...decoded.nodes.flatMap((n) => n.outputs),
      ]);
      for (const { inputs } of decoded.nodes) for (const input of inputs) expect(defined).toContain(input);
      for (const name of NAMES) expect(defined).toContain(name);
    }
  });
});

test("a Cast that nobody reads goes with the weight that int4 replaces", async () => {
  const bytes = encodeModel({
    graph: {
      nodes: [node("Cast", ["w"], ["dead"], { to: 10 }), node("MatMul", ["x", "w"], ["y"])],
      initializers: [f32("w", [32, 32], randn(1024, 1))],
      inputs: [value("x", DataType.FLOAT, [1, 32])],
      outputs: [value("y", DataType.FLOAT, [1, 32])],
    },
    opsets: { "": 13 },
  });
  for (const { refusal } of await each(bytes, "w4")) expect(refusal).toBeUndefined();
});

test("data before its header is given back, weight by weight", async () => {
  const initializers = Array.from({ length: 6 }, (_, i) => ({
    ...f32(`w${i}`, [1024, 2048], new Float32Array(1 << 21).fill(i + 1)),
    order: "reversed" as const,
  }));
  const bytes = encodeModel({
    graph: {
      nodes: initializers.map(({ name }) => node("MatMul", ["x", name], [`y_${name}`])),
      initializers,
      inputs: [value("x", 1, [1, 1024])],
      outputs: [],
    },
    opsets: { "": 13 },
  });
  const { readable, report } = compress(streamOf(bytes, 1 << 20), { quantize: "w8" });
  expect((await drain(readable)).length).toBeGreaterThan(12 << 20);
  expect((await report).timing.peak_memory_bytes).toBeLessThan(80 << 20);
});
