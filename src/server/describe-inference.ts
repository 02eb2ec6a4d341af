import { binary, header, inPath, inQuery, json, NAME, problems } from "./describe.ts";
import { array, integer, type Json, object, ref, text } from "./schemas.ts";

const VERSION = inPath("VERSION", text, "The name of one of the model's .onnx files, without the extension.");
const flag = { type: "boolean" };
const tensor = {
  name: text,
  datatype: { enum: "BOOL UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 INT64 FP16 BF16 FP32 FP64 BYTES".split(" ") },
};
const ms = { type: "number", minimum: 0 };
const latency = object({ first_ms: ms, median_ms: ms, p90_ms: ms, runs: integer });
const difference = { relative_mse: ms, sqnr_db: { type: "number" }, max_abs: ms, different: ms };
const port = object({ ...tensor, shape: array({ type: "integer", minimum: -1 }) });

/** The documents of inference: https://github.com/kserve/open-inference-protocol */
export const inferenceSchemas = (): Json => ({
  Comparison: object(
    {
      edgeslim: text,
      models: array(object({ name: text, bytes: integer, load_ms: ms, latency, memory_bytes: integer })),
      samples: integer,
      outputs: array(
        object({ name: text, dtype: text, shape: array(integer), ...difference }, ["name", "dtype", "shape", "max_abs", "different"]),
      ),
      layers: array(
        object({ name: text, node: text, op_type: text, added: ms, ...difference }, [
          "name",
          "node",
          "op_type",
          "added",
          "max_abs",
          "different",
        ]),
      ),
      first: text,
      most: text,
    },
    ["edgeslim", "models", "samples", "outputs", "layers"],
  ),
  ModelMetadata: object({ name: text, versions: array(text), platform: text, inputs: array(port), outputs: array(port) }),
  InferRequest: object(
    {
      id: text,
      parameters: object({ binary_data_output: flag }, []),
      inputs: array(
        object({ ...tensor, shape: array(integer), data: array({}), parameters: object({ binary_data_size: integer }, []) }, [
          "name",
          "datatype",
          "shape",
        ]),
      ),
      outputs: array(object({ name: text, parameters: object({ binary_data: flag }, []) }, ["name"])),
    },
    ["inputs"],
  ),
  InferResponse: object(
    {
      model_name: text,
      model_version: text,
      id: text,
      outputs: array(
        object({ ...tensor, shape: array(integer), data: array({}), parameters: object({ binary_data_size: integer }, []) }, [
          "name",
          "datatype",
          "shape",
        ]),
      ),
    },
    ["model_name", "outputs"],
  ),
});

const model = (path: string, parameters: Json[]): Json => ({
  [path]: {
    parameters,
    get: {
      summary: "What a stored model takes and gives; a dimension that a run binds is -1",
      responses: { 200: json(ref("ModelMetadata"), "Its metadata."), ...problems(404, 409, 422) },
    },
  },
  [`${path}/ready`]: {
    parameters,
    get: {
      summary: "Whether a stored model can be run",
      responses: {
        200: json(object({ name: text, ready: flag }), "Whether its file is no larger than MAX_HOT_BYTES."),
        ...problems(404, 409, 422),
      },
    },
  },
  [`${path}/infer`]: {
    parameters: [
      ...parameters,
      {
        name: "Inference-Header-Content-Length",
        in: "header",
        description: "Bytes of the JSON, where bytes of tensors follow it.",
        schema: integer,
      },
    ],
    post: {
      summary: "Run a stored model",
      description: "Tensors come and go in JSON, or as bytes behind it (the binary tensor extension), each as its parameters say.",
      requestBody: { content: { "application/json": { schema: ref("InferRequest") }, "application/octet-stream": {} } },
      responses: {
        200: {
          ...binary("The outputs.", { "Inference-Header-Content-Length": header("Bytes of the JSON, where bytes of tensors follow it.") }),
          content: { "application/json": { schema: ref("InferResponse") }, "application/octet-stream": {} },
        },
        ...problems(400, 404, 408, 409, 413, 422, 503),
      },
    },
  },
});

export const inferencePaths = (): Json => ({
  "/v1/compare": {
    post: {
      summary: "Tell how far a stored model's outputs are from another's, and in which layer that arises",
      parameters: [
        { ...inQuery("a", text, "The stored model that is right."), required: true },
        { ...inQuery("b", text, "The stored model that is compared with it."), required: true },
        inQuery("samples", text, "Stored samples to run both on; random inputs without."),
      ],
      responses: {
        200: json(ref("Comparison"), "Sizes, latency, the difference of each output and of each layer that both graphs name alike."),
        ...problems(400, 404, 409, 413, 422, 503),
      },
    },
  },
  "/v2": {
    get: {
      summary: "Server metadata (Open Inference Protocol)",
      responses: { 200: json({ type: "object" }, "Name, version, extensions.") },
    },
  },
  "/v2/health/live": { get: { summary: "Liveness", responses: { 200: json(object({ live: flag }), "Alive.") } } },
  "/v2/health/ready": { get: { summary: "Readiness", responses: { 200: json(object({ ready: flag }), "Ready.") } } },
  ...model("/v2/models/{NAME}", [NAME]),
  ...model("/v2/models/{NAME}/versions/{VERSION}", [NAME, VERSION]),
});
