import { RECIPE } from "./recipe-schema.ts";

export type Json = Record<string, unknown>;

export const text = { type: "string" };
export const integer = { type: "integer", minimum: 0 };
export const object = (properties: Json, required: string[] = Object.keys(properties)): Json => ({ type: "object", properties, required });
export const array = (items: Json): Json => ({ type: "array", items });
export const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });

/** The documents of the HTTP door, as openapi.json describes them. */
export const schemas = (): Json => ({
  Recipe: RECIPE,
  Problem: object(
    { type: text, title: text, status: integer, detail: text, limit: text, offset: integer, tensor: text, node: text, error: text },
    ["type", "title", "status", "detail"],
  ),
  Report: object(
    {
      edgeslim: text,
      recipe: ref("Recipe"),
      source: object({ format: text, opset: integer, bytes: integer, sha256: text, files: array(text) }, ["format", "bytes"]),
      output: object({ format: text, layout: text, bytes: integer, sha256: text, files: array(text) }, ["format", "bytes"]),
      tensors: array(ref("TensorReport")),
      layers: array(
        object({ file: text, name: text, op_type: text, tensors: array(text), bytes: array(integer) }, ["name", "tensors", "bytes"]),
      ),
      optimization: object({ nodes: array(integer) }),
      warnings: array(
        object({ code: text, message: text, tensors: array(text), nodes: array(text), files: array(text) }, ["code", "message"]),
      ),
      timing: object({ seconds: { type: "number" }, bytes_per_second: { type: "number" }, peak_memory_bytes: integer }),
    },
    ["edgeslim", "recipe", "source", "output", "tensors", "layers", "warnings", "timing"],
  ),
  TensorReport: object(
    {
      file: text,
      name: text,
      shape: array(integer),
      action: text,
      actions: array(text),
      bytes: array(integer),
      reason: text,
      sqnr_db: { type: "number" },
    },
    ["name", "shape", "action", "bytes"],
  ),
  FolderReport: {
    description: "The report on a model of several files, or on one that becomes several.",
    allOf: [ref("Report"), object({ variants: array(ref("Variant")), copied: array(text) })],
  },
  Variant: {
    ...object({ scheme: text, model: text, files: array(text), bytes: integer, report: ref("Report"), refused: text }, [
      "model",
      "files",
      "bytes",
    ]),
    description: "What a scheme made of a model (`report`), or why it made nothing (`refused`).",
  },
  FailedReport: object({ edgeslim: text, recipe: ref("Recipe"), error: ref("Problem") }),
  Files: object({ name: text, files: array(object({ file: text, bytes: integer, etag: text, modified: text })) }),
});
