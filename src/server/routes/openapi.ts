import type { Context } from "hono";
import { ALL_WEB, SCHEME_NAMES } from "../../engine/recipe.ts";
import { VERSION } from "../../version.ts";
import { binary, FILE, header, inPath, inQuery, json, model, NAME, problems } from "../describe.ts";
import { inferencePaths, inferenceSchemas } from "../describe-inference.ts";
import { array, integer, type Json, object, ref, schemas, text } from "../schemas.ts";

// Put together by hand around the recipe's own schema: @hono/zod-openapi would double the size of the Worker.

const form = object({ recipe: ref("Recipe"), model: { type: "string", format: "binary" } }, ["model"]);

const compress: Json = {
  summary: "Compress a model",
  description: "The response streams while the upload runs. In a form the part `recipe` comes before the part `model`.",
  parameters: [
    inQuery("quantize", { enum: [...SCHEME_NAMES, ALL_WEB] }, "Short form of the recipe's `quantize`; all-web needs `model` and `output`."),
    inQuery("prune", text, "Short form of `prune`: channel:0.3, 2:4, unstructured:0.8, block:0.5."),
    inQuery("optimize", { type: "boolean" }, "Short form of `optimize`."),
    { name: "recipe", in: "query", description: "16 KiB at most.", content: { "application/json": { schema: ref("Recipe") } } },
    inQuery("model", text, "Compress this stored model instead of the body."),
    inQuery("samples", text, "Calibrate on these stored samples; for w8a8, with `model`."),
    inQuery(
      "output",
      text,
      "Put the result into the store: as /v1/models/NAME/model.onnx or model.safetensors, or as a folder /v1/models/NAME.",
    ),
    inQuery("shard", text, "Bytes that a file of weights may have, as in 25MiB, 2GB or 500000; needs `model` and `output`."),
  ],
  requestBody: { content: { ...model.content, "multipart/form-data": { schema: form } } },
  responses: {
    200: binary("The compressed model.", {
      "Edgeslim-Layout": header("canonical, patched or pieced."),
      "Edgeslim-Report": header("Where the report will be, if there is a store."),
    }),
    201: json(
      { anyOf: [ref("Report"), ref("FolderReport")] },
      "With `output`: the result is in the store, at Location: its file, or /v1/models/NAME where it is several.",
    ),
    ...problems(400, 404, 408, 409, 413, 415, 422, 503),
  },
};

const store = (room: string): Json => ({
  [`/v1/${room}`]: {
    get: {
      summary: `Names in ${room}`,
      responses: { 200: json(object({ [room]: array(object({ name: text, files: integer, bytes: integer })) }), "All names.") },
    },
  },
  [`/v1/${room}/{NAME}`]: {
    parameters: [NAME],
    get: { summary: "The files of a name", responses: { 200: json(ref("Files"), "Its files."), ...problems(404) } },
    delete: { summary: "Delete a name with its files", responses: { 204: { description: "Deleted." }, ...problems(404) } },
  },
  [`/v1/${room}/{NAME}/{FILE}`]: {
    parameters: [NAME, FILE],
    get: {
      summary: "Read a file, or a range of it",
      responses: { 200: binary("The file."), 206: binary("The range."), 304: { description: "Not modified." }, ...problems(404, 412, 416) },
    },
    put: {
      summary: "Write a file",
      requestBody: model,
      responses: { 200: { description: "Replaced." }, 201: { description: "Created." }, ...problems(400, 404, 408, 412, 503) },
    },
    delete: { summary: "Delete a file", responses: { 204: { description: "Deleted." }, ...problems(404) } },
  },
});

const document = (): Json => ({
  openapi: "3.1.0",
  info: { title: "Edgeslim", version: VERSION, description: "Compresses ONNX and safetensors models as streams, and runs ONNX models." },
  paths: {
    "/v1/compress": { post: compress },
    "/v1/inspect": {
      post: {
        summary: "Tell what a model is",
        parameters: [inQuery("model", text, "Inspect this stored model instead of the body.")],
        requestBody: model,
        responses: {
          200: json(
            { type: "object" },
            "Format, tensors, operators, sizes, what each scheme would give; of a stored model of several files these of each of its `models`.",
          ),
          ...problems(400, 404, 408, 413, 415, 422, 503),
        },
      },
    },
    "/v1/reports/{ID}": {
      get: {
        summary: "The report of a run",
        parameters: [inPath("ID", text, "From Edgeslim-Report.")],
        responses: {
          200: json(
            { anyOf: [ref("Report"), ref("FolderReport"), ref("FailedReport")] },
            "The report; with `error` where the run failed after its first byte.",
          ),
          202: json({ type: "object" }, "The run is under way."),
          ...problems(404),
        },
      },
    },
    ...store("models"),
    ...store("data"),
    "/metrics": {
      get: {
        summary: "Runs and bytes since the start (OpenMetrics)",
        responses: { 200: { description: "OpenMetrics text.", content: { "application/openmetrics-text": { schema: text } } } },
      },
    },
    ...inferencePaths(),
  },
  components: { schemas: { ...schemas(), ...inferenceSchemas() } },
});

let made: string | undefined;

/** GET /openapi.json */
export function openapi(c: Context): Response {
  made ??= JSON.stringify(document());
  return c.body(made, 200, { "content-type": "application/json" });
}
