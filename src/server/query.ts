import { type Recipe, withShortForms } from "../engine/recipe.ts";
import { FormatError, LimitError, UnsupportedError } from "../errors.ts";
import { parseBytes } from "../io/bytes.ts";
import { checkName } from "./names.ts";
import { HttpProblem } from "./problem.ts";

/** A URL is no place for a large document; a form is. */
const MAX_RECIPE_BYTES = 16 << 10;

const PARAMETERS = ["quantize", "prune", "optimize", "recipe", "model", "samples", "output", "shard"] as const;
type Parameter = (typeof PARAMETERS)[number];

/** What the query of a compression asks for. */
export interface Query {
  /** A stored model to read, instead of the body. */
  model: string | undefined;
  /** Stored samples to calibrate on. */
  samples: string | undefined;
  /** Where in the store the result goes, instead of the response. */
  output: string | undefined;
  /** Bytes that a file of weights may have. */
  shard: number | undefined;
  /** The recipe, its short forms laid over the document in `form` or in the query. */
  recipe(form?: string): Recipe;
}

/** Checks the query. A parameter that is unknown, or there twice, is an error: it would else be left out in silence. */
export function parseQuery(search: URLSearchParams): Query {
  const values: Partial<Record<Parameter, string>> = {};
  for (const [key, value] of search) {
    const known = PARAMETERS.find((name) => name === key);
    if (!known)
      throw new HttpProblem(400, `Unknown query parameter ${JSON.stringify(key.slice(0, 50))}; there are ${PARAMETERS.join(", ")}`);
    if (values[known] !== undefined) throw new HttpProblem(400, `The query parameter '${known}' is there twice`);
    values[known] = value;
  }
  const { quantize, prune, recipe, model, output } = values;
  const shard = values.shard === undefined ? undefined : parseBytes(values.shard);
  if (values.shard !== undefined && shard === undefined)
    throw new HttpProblem(400, "'shard' is a number of bytes above 0, with B, kB, MB, GB, KiB, MiB or GiB: 25MiB, 2GB, 500000");
  if (recipe !== undefined && new TextEncoder().encode(recipe).byteLength > MAX_RECIPE_BYTES) {
    throw new LimitError(
      "MAX_RECIPE_BYTES",
      `The recipe in the query is longer than ${MAX_RECIPE_BYTES} bytes; send multipart/form-data with a part 'recipe' before the part 'model'`,
    );
  }
  if (values.samples !== undefined && model === undefined)
    throw new UnsupportedError("'samples' needs a model that can be read again: PUT it to /v1/models/NAME/model.onnx, then say model=NAME");
  const optimize = flag(values.optimize);
  return {
    model: model === undefined ? undefined : checkName(model, "model"),
    samples: values.samples === undefined ? undefined : checkName(values.samples, "samples"),
    output: output === undefined ? undefined : checkName(output, "output"),
    shard,
    recipe(form) {
      if (form !== undefined && recipe !== undefined) throw new HttpProblem(400, "There is a recipe both in the query and in the form");
      return withShortForms(parseJson(form ?? recipe), { quantize, prune, optimize });
    },
  };
}

function flag(value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined;
  if (["", "1", "true"].includes(value)) return true;
  if (["0", "false"].includes(value)) return false;
  throw new HttpProblem(400, "'optimize' is a flag: leave its value out, or say true or false");
}

function parseJson(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`The recipe is not JSON: ${(cause as Error).message}`, { format: "recipe" });
  }
}
