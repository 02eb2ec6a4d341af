/** The JSON Schema of a recipe: printed by `npm run docs`, and held to engine/recipe.ts by a test. */
export const RECIPE = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  properties: {
    optimize: { type: "boolean" },
    prune: {
      type: "object",
      properties: {
        structure: {
          anyOf: [
            { type: "string", enum: ["unstructured", "block", "channel"] },
            { type: "string", pattern: "^[1-9]\\d?:[1-9]\\d?$" },
          ],
        },
        sparsity: { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1 },
        criterion: {
          type: "string",
          enum: ["l1_norm", "l2_norm", "geometry_median", "bn_scale", "magnitude", "wanda", "sparsegpt", "reconstruction", "random"],
        },
        scope: {
          anyOf: [
            { type: "string", enum: ["uniform", "global", "sensitivity"] },
            {
              type: "object",
              propertyNames: { type: "string", minLength: 1, maxLength: 256, description: "A regular expression over tensor names." },
              additionalProperties: { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1 },
            },
          ],
        },
        round_to: { type: "integer", minimum: 1, maximum: 256 },
        exclude: {
          maxItems: 64,
          type: "array",
          items: { type: "string", minLength: 1, maxLength: 256, description: "A regular expression over tensor names." },
        },
        protect: {
          maxItems: 64,
          type: "array",
          items: { type: "string", minLength: 1, maxLength: 256, description: "A regular expression over tensor names." },
        },
        strict: { type: "boolean" },
        recover: { type: "array", items: { type: "string", enum: ["batch_norm", "bias", "least_squares"] } },
      },
      required: ["structure"],
      additionalProperties: false,
    },
    distill: { type: "object", properties: {}, additionalProperties: {} },
    quantize: {
      anyOf: [
        {
          type: "object",
          properties: {
            scheme: { type: "string", enum: ["fp16", "bf16", "w8", "w4", "q8", "int8", "uint8", "q4", "q4f16", "bnb4", "w8a8", "all-web"] },
            granularity: { type: "string", enum: ["per_tensor", "per_channel"] },
            observer: { type: "string", enum: ["minmax", "percentile", "entropy", "mse"] },
            exclude: {
              description: "Tensors to leave in float.",
              maxItems: 64,
              type: "array",
              items: { type: "string", minLength: 1, maxLength: 256, description: "A regular expression over tensor names." },
            },
            overrides: {
              description: "Other schemes for some tensors; the first match counts.",
              maxItems: 64,
              type: "array",
              items: {
                type: "object",
                properties: {
                  match: { type: "string", minLength: 1, maxLength: 256, description: "A regular expression over tensor names." },
                  scheme: { type: "string", enum: ["fp16", "bf16", "w8", "w4", "q8", "int8", "uint8", "q4", "q4f16", "bnb4", "w8a8"] },
                },
                required: ["match", "scheme"],
                additionalProperties: false,
              },
            },
          },
          required: ["scheme"],
          additionalProperties: false,
        },
        { type: "string", enum: ["fp16", "bf16", "w8", "w4", "q8", "int8", "uint8", "q4", "q4f16", "bnb4", "w8a8", "all-web"] },
      ],
    },
    target: {
      type: "object",
      properties: {
        max_bytes: { type: "integer", minimum: 1, maximum: 9007199254740991 },
        max_accuracy_drop: { type: "number", minimum: 0 },
        max_latency_ratio: { type: "number", exclusiveMinimum: 0 },
        runtime: { type: "string", maxLength: 64 },
      },
      additionalProperties: false,
    },
  },
  additionalProperties: false,
  description: "What to do to a model.",
};
