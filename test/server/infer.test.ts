import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import * as engine from "../../src/index.ts";
import { createApp, type Limits } from "../../src/server/app.ts";
import { folderStore } from "../../src/store/folder.ts";
import { encoder, type GeneratedModel, halfModel, mlp } from "../kit/models.ts";
import { DataType, encodeModel, node } from "../kit/onnx.ts";
import { runNode } from "../kit/ort.ts";

let folder: string;
let loads: number;
type App = ReturnType<typeof createApp>;
const logged: unknown[] = [];

const counting: typeof engine = {
  ...engine,
  load: async (...args) => {
    loads++;
    return engine.load(...args);
  },
};
const appOf = (limits: Partial<Limits> = {}): App =>
  createApp({ engine: counting, store: folderStore(folder), log: (error) => logged.push(error), limits });
let app: App;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edgeslim-infer-"));
  app = appOf();
  await put("mlp/model.onnx", mlp().bytes);
});
beforeEach(() => {
  loads = 0;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const put = async (path: string, body: Uint8Array<ArrayBuffer>): Promise<void> => {
  const { status } = await app.request(`/v1/models/${path}`, { method: "PUT", body });
  expect([200, 201]).toContain(status);
};
const infer = (name: string, request: unknown, on = app) =>
  on.request(`/v2/models/${name}/infer`, { method: "POST", body: typeof request === "string" ? request : JSON.stringify(request) });
const binary = (name: string, request: unknown, parts: Uint8Array[], length?: number) => {
  const json = new TextEncoder().encode(JSON.stringify(request));
  return app.request(`/v2/models/${name}/infer`, {
    method: "POST",
    body: Buffer.concat([json, ...parts]),
    headers: { "inference-header-content-length": String(length ?? json.byteLength), "content-type": "application/octet-stream" },
  });
};

const TYPES: Record<string, string> = { float32: "FP32", int64: "INT64", float16: "FP16", int32: "INT32" };
const inputsOf = ({ inputs }: GeneratedModel) =>
  Object.entries(inputs).map(([name, { type, dims, data }]) => ({
    name,
    datatype: TYPES[type],
    shape: dims,
    data: Array.from(data as ArrayLike<number | bigint>, Number),
  }));
const bytesOf = (data: { buffer: ArrayBufferLike; byteOffset: number; byteLength: number }) =>
  new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);

interface Output {
  name: string;
  datatype: string;
  shape: number[];
  data?: number[];
  parameters?: { binary_data_size: number };
}
interface Answer {
  model_name: string;
  id?: string;
  outputs: Output[];
}
async function answered(response: Response): Promise<{ json: Answer; rest: Buffer }> {
  const body = Buffer.from(await response.arrayBuffer());
  expect(response.status, body.toString("utf8").slice(0, 500)).toBe(200);
  const length = response.headers.get("inference-header-content-length");
  expect(response.headers.get("content-type")).toBe(length === null ? "application/json" : "application/octet-stream");
  const end = length === null ? body.length : Number(length);
  return { json: JSON.parse(body.subarray(0, end).toString("utf8")) as Answer, rest: body.subarray(end) };
}
const close = (got: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-4): void => {
  expect(got.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++)
    expect(Math.abs((got[i] as number) - (expected[i] as number))).toBeLessThan(tolerance * (1 + Math.abs(expected[i] as number)));
};

async function refused(response: Response, status: number, detail: RegExp): Promise<void> {
  const problem = (await response.json()) as { status: number; detail: string; error: string };
  expect([response.status, problem.status]).toEqual([status, status]);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(problem.detail).toMatch(detail);
  expect(problem.error).toBe(problem.detail); // what the protocol's clients read
}

test("the server says what it can", async () => {
  expect(await (await app.request("/v2")).json()).toEqual({
    name: "edgeslim",
    version: engine.VERSION,
    extensions: ["binary_tensor_data"],
  });
});

describe("GET /v2/models/NAME", () => {
  test("tells types and shapes, -1 for what a run binds, without loading", async () => {
    const response = await app.request("/v2/models/mlp");
    expect(await response.json()).toEqual({
      name: "mlp",
      versions: ["model"],
      platform: "edgeslim_onnx",
      inputs: [{ name: "x", datatype: "FP32", shape: [-1, 64] }],
      outputs: [{ name: "y", datatype: "FP32", shape: [-1, 32] }],
    });
    expect(await (await app.request("/v2/models/mlp/ready")).json()).toEqual({ name: "mlp", ready: true });
    expect(loads).toBe(0);
  });

  test("a version is a file of the model", async () => {
    await put("two/onnx/a.onnx", mlp().bytes);
    await put("two/onnx/b.onnx", encoder().bytes);
    expect(await (await app.request("/v2/models/two/versions/b")).json()).toMatchObject({
      versions: ["a", "b"],
      inputs: [{ datatype: "INT64" }, { datatype: "INT64" }],
    });
    const request = { inputs: inputsOf(mlp()) };
    expect((await answered(await infer("two/versions/a", request))).json).toMatchObject({ model_name: "two", model_version: "a" });
    await refused(await app.request("/v2/models/two"), 409, /holds several.*a, b/);
    await refused(await app.request("/v2/models/two/versions/c"), 404, /no version 'c'; its versions are a, b/);
  });

  test("404 where there is none, 405 for another method", async () => {
    await refused(await app.request("/v2/models/none"), 404, /no model 'none'/);
    await refused(await app.request("/v2/models/none/ready"), 404, /no model 'none'/);
    await refused(await infer("none", { inputs: inputsOf(mlp()) }), 404, /no model 'none'/);
    await refused(await app.request("/v2/models/mlp/infer"), 405, /POST/);
    await refused(await app.request("/v2/models/mlp/train", { method: "POST" }), 404, /openapi/);
  });
});

describe("POST /v2/models/NAME/infer", () => {
  test.each([
    ["mlp", mlp, 1e-4],
    ["encoder", encoder, 1e-4],
    ["half", halfModel, 2e-3], // onnxruntime multiplies in float16
  ])("%s: gives what onnxruntime gives, as JSON and as bytes", async (name, generate, tolerance) => {
    const model = generate();
    await put(`${name}/model.onnx`, model.bytes);
    const expected = await runNode(model.bytes, model.inputs);
    const described = Object.entries(model.inputs).map(([input, { type, dims, data }]) => ({
      name: input,
      datatype: TYPES[type],
      shape: dims,
      parameters: { binary_data_size: data.byteLength },
    }));
    const parts = Object.values(model.inputs).map(({ data }) => bytesOf(data));
    const { json, rest } = await answered(await binary(name, { inputs: described, parameters: { binary_data_output: true } }, parts));
    let at = 0;
    for (const { name: output, shape, parameters, data } of json.outputs) {
      const { dims, data: wanted } = expected[output] as (typeof expected)[string];
      expect([shape, data]).toEqual([dims, undefined]);
      const bytes = rest.subarray(at, at + (parameters?.binary_data_size ?? 0));
      at += bytes.length;
      close(new Float32Array(new Uint8Array(bytes).buffer), wanted as Float32Array, tolerance);
    }
    expect(at).toBe(rest.length);
    const plain = await answered(await infer(name, { id: "a request", inputs: inputsOf(model) }));
    expect(plain.json).toMatchObject({ model_name: name, id: "a request" });
    expect(plain.json.outputs.map((output) => output.name).sort()).toEqual(Object.keys(expected).sort());
    for (const { name: output, datatype, shape, data } of plain.json.outputs) {
      expect([datatype, shape]).toEqual(["FP32", expected[output]?.dims]);
      close(data as number[], expected[output]?.data as Float32Array, tolerance);
    }
  });

  test("takes nested lists, and gives the outputs that are asked for as each is asked for", async () => {
    const [input] = inputsOf(mlp());
    const flat = input?.data as number[];
    const nested = Array.from({ length: 4 }, (_, i) => flat.slice(i * 64, (i + 1) * 64));
    const outputs = [{ name: "y", parameters: { binary_data: false } }];
    const request = { inputs: [{ ...input, data: nested }], outputs, parameters: { binary_data_output: true } };
    const { json, rest } = await answered(await infer("mlp", request));
    expect([json.outputs.length, rest.length]).toEqual([1, 0]);
    const plain = await answered(await infer("mlp", { inputs: [input] }));
    expect(json.outputs).toEqual(plain.json.outputs);
  });

  const identity = (type: number, dims: (number | string)[] = [3]) =>
    encodeModel({
      opsets: { "": 13 },
      graph: {
        nodes: [node("Identity", ["x"], ["y"])],
        inputs: [{ name: "x", data_type: type, dims }],
        outputs: [{ name: "y", data_type: type, dims }],
      },
    });

  test.each<[string, number, unknown[], Uint8Array, unknown[]?]>([
    ["BOOL", DataType.BOOL, [true, false, true], Uint8Array.of(1, 0, 1)],
    ["UINT8", DataType.UINT8, [0, 255, 7], Uint8Array.of(0, 255, 7)],
    ["INT8", DataType.INT8, [-128, 127, 7], Uint8Array.of(128, 127, 7)],
    ["INT16", DataType.INT16, [-32768, 1, 2], bytesOf(Int16Array.of(-32768, 1, 2))],
    ["INT32", DataType.INT32, [-(2 ** 31), 1, 2], bytesOf(Int32Array.of(-(2 ** 31), 1, 2))],
    ["INT64", DataType.INT64, [-(2 ** 53) + 1, 1, 2], bytesOf(BigInt64Array.of(1n - 2n ** 53n, 1n, 2n))],
    ["FP32", DataType.FLOAT, [0.5, -1e30, 3], bytesOf(Float32Array.of(0.5, -1e30, 3)), [0.5, Math.fround(-1e30), 3]],
    ["FP64", DataType.DOUBLE, [0.1, -1e300, 3], bytesOf(Float64Array.of(0.1, -1e300, 3))],
    ["FP16", DataType.FLOAT16, [0.5, -2, 65504], bytesOf(Uint16Array.of(0x3800, 0xc000, 0x7bff))],
    ["BYTES", DataType.STRING, ["a", "größer", ""], Buffer.from("\x01\0\0\0a\x08\0\0\0gr\xc3\xb6\xc3\x9fer\0\0\0\0", "latin1")],
    ["BYTES", DataType.STRING, ["\ufeffa", "b", ""], Buffer.from("\x04\0\0\0\xef\xbb\xbfa\x01\0\0\0b\0\0\0\0", "latin1")],
  ])("%s goes in and out, as JSON and as bytes", async (datatype, type, data, bytes, gives = data) => {
    await put("identity/model.onnx", identity(type));
    const input = { name: "x", datatype, shape: [3] };
    const plain = await answered(await infer("identity", { inputs: [{ ...input, data }] }));
    expect(plain.json.outputs).toEqual([{ name: "y", datatype, shape: [3], data: gives }]);
    const sent = {
      inputs: [{ ...input, parameters: { binary_data_size: bytes.length } }],
      outputs: [{ name: "y", parameters: { binary_data: true } }],
    };
    const { json, rest } = await answered(await binary("identity", sent, [bytes]));
    expect(json.outputs).toEqual([{ name: "y", datatype, shape: [3], parameters: { binary_data_size: bytes.length } }]);
    expect(rest.equals(bytes)).toBe(true);
  });

  test("NaN and infinity go through as bytes, and are null in JSON", async () => {
    await put("identity/model.onnx", identity(DataType.FLOAT));
    const bytes = bytesOf(Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, 1));
    const request = { inputs: [{ name: "x", datatype: "FP32", shape: [3], parameters: { binary_data_size: 12 } }] };
    expect((await answered(await binary("identity", request, [bytes]))).json.outputs[0]?.data).toEqual([null, null, 1]);
    const { rest } = await answered(await binary("identity", { ...request, parameters: { binary_data_output: true } }, [bytes]));
    expect(rest.equals(bytes)).toBe(true);
  });

  const [x] = inputsOf(mlp()) as [ReturnType<typeof inputsOf>[number]];
  test.each<[string, number, unknown, RegExp]>([
    ["no JSON", 400, "{", /not JSON/],
    ["no body", 400, "", /body is empty/],
    ["a list", 400, [], /not a JSON object/],
    ["no inputs", 400, {}, /no list 'inputs'/],
    ["no name", 400, { inputs: [{}] }, /inputs\[0\] has no 'name'/],
    ["a name twice", 400, { inputs: [x, x] }, /'x' is there twice/],
    ["an unknown datatype", 400, { inputs: [{ ...x, datatype: "float32" }] }, /'x' has the datatype "float32"; there are BOOL/],
    ["a datatype of Object", 400, { inputs: [{ ...x, datatype: "constructor" }] }, /datatype "constructor"/],
    ["a negative shape", 400, { inputs: [{ ...x, shape: [-1, 64] }] }, /the shape \[-1,64\]/],
    ["a shape that overflows", 400, { inputs: [{ ...x, shape: [2 ** 40, 2 ** 40] }] }, /the shape/],
    ["a shape beyond its data", 400, { inputs: [{ ...x, shape: [2 ** 40, 64] }] }, /has 256 elements; its shape/],
    ["data too few", 400, { inputs: [{ ...x, data: [1] }] }, /'x' has 1 elements; its shape \[4,64\] takes 256/],
    ["data too many", 400, { inputs: [{ ...x, data: [x.data, [1]] }] }, /more than 256 elements/],
    ["no data", 400, { inputs: [{ ...x, data: undefined }] }, /neither a list 'data'/],
    ["text as a number", 400, { inputs: [{ ...x, data: x.data.map(String) }] }, /element 0 is ".*"; FP32 takes numbers/],
    [
      "deep lists",
      400,
      `{"inputs":[{"name":"x","datatype":"FP32","shape":[4,64],"data":${"[".repeat(5000)}${"]".repeat(5000)}}]}`,
      /nested lists/,
    ],
    ["a fraction as an integer", 400, { inputs: [{ ...x, datatype: "INT32", data: x.data.map(() => 0.5) }] }, /INT32 takes integers from/],
    ["an integer beyond its type", 400, { inputs: [{ ...x, datatype: "INT64", data: x.data.map(() => 1e19) }] }, /to 9223372036854775807/],
    [
      "a number beyond its type",
      400,
      { inputs: [{ ...x, data: x.data.map(() => 1e39) }] },
      /element 0 is 1e\+39; FP32 takes numbers below 3\.4/,
    ],
    ["an id that is none", 400, { id: 1, inputs: [x] }, /'id' is not a string/],
    ["outputs that are none", 400, { inputs: [x], outputs: {} }, /'outputs' is not a list/],
    ["a flag that is none", 400, { inputs: [x], parameters: { binary_data_output: 1 } }, /not true or false/],
    [
      "bytes that are not there",
      400,
      { inputs: [{ ...x, data: undefined, parameters: { binary_data_size: 8 } }] },
      /binary_data_size 8; 0 bytes/,
    ],
    ["an unknown input", 422, { inputs: [{ ...x, name: "z" }] }, /no input 'z'; it takes x: float32\[batch,64\]/],
    ["a missing input", 422, { inputs: [] }, /'x' is missing; the model takes x: float32\[batch,64\]/],
    ["another datatype", 422, { inputs: [{ ...x, datatype: "FP64" }] }, /'x' is float64; the model takes float32\[batch,64\]/],
    ["another shape", 422, { inputs: [{ ...x, shape: [64, 4] }] }, /'x' has the shape \[64,4\]; the model takes/],
    ["an unknown output", 422, { inputs: [x], outputs: [{ name: "z" }] }, /no output 'z'; it gives y/],
    ["classification", 422, { inputs: [x], outputs: [{ name: "y", parameters: { classification: 3 } }] }, /classification/],
  ])("refuses %s: %i", async (_, status, request, message) => {
    await refused(await infer("mlp", request), status, message);
  });

  test("refuses bytes that do not fit", async () => {
    const input = { name: "x", datatype: "FP32", shape: [4, 64] };
    const bytes = new Uint8Array(1024);
    const sized = (binary_data_size: number) => ({ inputs: [{ ...input, parameters: { binary_data_size } }] });
    await refused(await binary("mlp", sized(1020), [bytes.subarray(4)]), 400, /has 1020 bytes; its shape \[4,64\] of FP32 takes 1024/);
    await refused(await binary("mlp", sized(1024), [bytes, bytes]), 400, /1024 bytes of the body belong to no input/);
    await refused(await binary("mlp", sized(1024), [bytes], 5000), 400, /Inference-Header-Content-Length is 5000/);
    await refused(await binary("mlp", sized(1024), [bytes], -1), 400, /Inference-Header-Content-Length is -1/);
    await put("identity/model.onnx", identity(DataType.STRING));
    const texts = { inputs: [{ name: "x", datatype: "BYTES", shape: [3], parameters: { binary_data_size: 8 } }] };
    await refused(await binary("identity", texts, [Uint8Array.of(255, 0, 0, 0, 1, 2, 3, 4)]), 400, /ends in the middle of element 0/);
    await refused(await binary("identity", texts, [new Uint8Array(8)]), 400, /has 2 elements; its shape takes 3/);
    const noText = Uint8Array.of(4, 0, 0, 0, 255, 254, 0, 1);
    await refused(await binary("identity", texts, [noText]), 400, /element 0 is no UTF-8/);
  });

  test("413 for a long body, by its length and as it comes", async () => {
    const small = appOf({ MAX_INFER_BYTES: 1000 });
    await refused(await infer("mlp", { inputs: [x] }, small), 413, /MAX_INFER_BYTES/);
    const stream = new Blob([JSON.stringify({ inputs: [x] })]).stream();
    const init = { method: "POST", body: stream, duplex: "half" } as RequestInit;
    await refused(await small.request("/v2/models/mlp/infer", init), 413, /MAX_INFER_BYTES/);
  });

  test("422 for what cannot be run", async () => {
    await put("weights/model.safetensors", new Uint8Array([2, 0, 0, 0, 0, 0, 0, 0, 123, 125]));
    await refused(await infer("weights", { inputs: [] }), 422, /no \.onnx file/);
    const [x, y] = ["x", "y"].map((name) => ({ name, data_type: DataType.FLOAT, dims: [1] }));
    const odd = { opsets: { "": 13 }, graph: { nodes: [node("Frobnicate", ["x"], ["y"])], inputs: [x!], outputs: [y!] } };
    await put("odd/model.onnx", encodeModel(odd));
    await refused(await infer("odd", { inputs: [] }), 422, /Frobnicate/);
    await put("broken/model.onnx", mlp().bytes.subarray(0, 5000) as Uint8Array<ArrayBuffer>);
    await refused(await infer("broken", { inputs: [] }), 400, /left|ends/);
    expect(logged).toEqual([]);
  });
});

describe("models that are kept", () => {
  const request = { inputs: inputsOf(mlp()) };

  test("requests at once share one load, and later ones it too", async () => {
    const app = appOf();
    const answers = await Promise.all([1, 2, 3].map(() => infer("mlp", request, app)));
    for (const answer of answers) await answered(answer);
    await answered(await infer("mlp", request, app));
    expect(loads).toBe(1);
  });

  test("a model that was replaced is loaded anew", async () => {
    const app = appOf();
    await put("changing/model.onnx", mlp().bytes);
    const before = (await answered(await infer("changing", request, app))).json.outputs;
    await put("changing/model.onnx", mlp({ opset: 9 }).bytes);
    const after = (await answered(await infer("changing", request, app))).json.outputs;
    expect(loads).toBe(2);
    expect(after.map(({ shape }) => shape)).toEqual(before.map(({ shape }) => shape));
    await app.request("/v1/models/changing", { method: "DELETE" });
    await refused(await infer("changing", request, app), 404, /no model 'changing'/);
  });

  test("those used least are dropped when memory is short", async () => {
    const one = await engine.load(mlp().bytes);
    await one.run({ x: { dtype: "float32", shape: [4, 64], data: new Float32Array(256) } });
    const app = appOf({ MAX_HOT_BYTES: Math.floor(one.memory * 2.5) });
    for (const name of ["a", "b", "c"]) await put(`${name}/model.onnx`, mlp().bytes);
    for (const name of ["a", "b", "a"]) await answered(await infer(name, request, app));
    expect(loads).toBe(2);
    await answered(await infer("c", request, app)); // in place of b
    await answered(await infer("a", request, app));
    expect(loads).toBe(3);
    await answered(await infer("b", request, app));
    expect(loads).toBe(4);
  });

  test("413 for a model that does not fit, before it is read, with the way out", async () => {
    const app = appOf({ MAX_HOT_BYTES: 20_000 });
    expect(await (await app.request("/v2/models/mlp/ready")).json()).toEqual({ name: "mlp", ready: false });
    await refused(await infer("mlp", request, app), 413, /'mlp' has 37\d+ bytes, .* in 20000; compress it .*edgeslim serve.*MAX_HOT_BYTES/);
    expect(loads).toBe(0);
  });

  test("413 where a run does not fit, and then others work", async () => {
    const app = appOf({ MAX_HOT_BYTES: 1_200_000 });
    const shape = [8000, 64];
    const wide = { inputs: [{ name: "x", datatype: "FP32", shape, data: Array.from({ length: 8000 * 64 }, () => 0) }] };
    await refused(await infer("mlp", wide, app), 413, /'mlp' needs more than the 1200000 bytes.*less at a time/);
    await answered(await infer("mlp", request, app));
    expect(loads).toBe(1);
  });

  test("503 beyond MAX_INFERRING, and free again", async () => {
    const app = appOf({ MAX_INFERRING: 1 });
    const answers = await Promise.all([1, 2, 3].map(() => infer("mlp", request, app)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 503, 503]);
    await answered(await infer("mlp", request, app));
  });

  test("a client that goes stops its run", async () => {
    const model = {
      ...counting,
      load: async () => ({
        memory: 1,
        inputs: [],
        outputs: [],
        run: (_: unknown, { signal }: { signal: AbortSignal }) =>
          new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      }),
    };
    const app = createApp({ engine: model as never, store: folderStore(folder), limits: { MAX_INFERRING: 1 } });
    const gone = new AbortController();
    const init = { method: "POST", body: JSON.stringify(request), signal: gone.signal };
    const waiting = Promise.resolve(app.request("/v2/models/mlp/infer", init)).catch(() => undefined);
    setTimeout(() => gone.abort(), 50);
    await waiting;
    expect((await Promise.resolve(infer("none", request, app))).status).toBe(404); // not 503: its place is free
  });
});
