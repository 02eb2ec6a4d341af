import en from "zod/v4/locales/en.js";
import * as z from "zod/v4/mini";
import { FormatError, UnsupportedError } from "../errors.ts";

/** What is looked at in the config.json of a model; all else is kept as it stands. */
const configSchema = z.looseObject({
  quantization_config: z.nullish(z.looseObject({ quant_method: z.optional(z.string()), format: z.optional(z.string()) })),
  compression_config: z.nullish(z.looseObject({ format: z.optional(z.string()) })),
  "transformers.js_config": z.nullish(z.looseObject({ use_external_data_format: z.optional(z.unknown()) })),
});

/** https://huggingface.co/docs/transformers/main_classes/configuration */
export type Config = z.output<typeof configSchema>;

/** Begins text that stands for a number which JavaScript would write otherwise (`1e-05`, `10000.0`); other text that begins so gets one more. */
const VERBATIM = "\\u0000";
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;

const disguised = (text: string): string =>
  text.replace(TOKEN, (token) => {
    if (token.startsWith(`"${VERBATIM}`)) return `"${VERBATIM}${token.slice(1)}`;
    return token.startsWith('"') || String(Number(token)) === token ? token : `"${VERBATIM}${token}"`;
  });

const undisguised = (text: string): string =>
  text.replace(TOKEN, (token) => {
    if (!token.startsWith(`"${VERBATIM}`)) return token;
    const rest = token.slice(1 + VERBATIM.length);
    return rest.startsWith(VERBATIM) ? `"${rest}` : rest.slice(0, -1);
  });

/** Reads a config. */
export function parseConfig(text: string): Config {
  let document: unknown;
  try {
    JSON.parse(text);
    document = JSON.parse(disguised(text));
  } catch (cause) {
    throw bad(`config.json is not JSON: ${cause instanceof Error ? cause.message : cause}`);
  }
  const parsed = configSchema.safeParse(document, { error: en().localeError });
  if (parsed.success) return document as Config; // not the parsed one: it has another order of keys
  const [issue] = parsed.error.issues;
  throw bad(`config.json is not a model's: ${issue?.path.join(".") || "document"}: ${issue?.message}`);
}

/** Writes a config: two spaces, as the Hugging Face libraries do. */
export const writeConfig = (config: Config): string => `${undisguised(JSON.stringify(config, null, 2))}\n`;

const bad = (message: string): FormatError => new FormatError(message, { format: "config.json" });

/** What tensors of a quantized model are called, by quant_method or format. */
const MARKS: Record<string, RegExp> = {
  "pack-quantized": /_packed$/,
  "int-quantized": /_scale$/,
  "float-quantized": /_scale$/,
  "naive-quantized": /_scale$/,
  gptq: /\.qweight$/,
  awq: /\.qweight$/,
};

/**
 * Refuses safetensors that are quantized already: a second quantization_config has no place.
 * @throws {FormatError} where config and tensors contradict each other.
 */
export function refuseQuantized({ quantization_config, compression_config }: Config, names: ReadonlySet<string>): void {
  const found = quantization_config ?? compression_config;
  if (!found) {
    const packed = [...names].find((name) => /\.weight_packed$|\.qweight$/.test(name));
    if (packed === undefined) return;
    throw bad(`config.json has no quantization_config, and the tensor '${packed}' is quantized: add the one that belongs to the tensors`);
  }
  const words = [found.quant_method, found.format].filter((word): word is string => typeof word === "string");
  for (const word of words) {
    const mark = Object.hasOwn(MARKS, word) ? MARKS[word] : undefined;
    if (mark && ![...names].some((name) => mark.test(name)))
      throw bad(
        `config.json says in quantization_config that the model is ${word}, and no tensor is (${mark.source}): remove it, or use the model it belongs to`,
      );
  }
  throw new UnsupportedError(
    `The model is quantized already: config.json has a quantization_config (${words.join(", ") || "of no named method"}); start from the model in float`,
  );
}

/** Notes the type of weights that have become 16 bits, where the config tells one: its own, and those of the models it is made of. */
export function withDType(config: Config, dtype: "float16" | "bfloat16"): Config {
  const set = (part: Record<string, unknown>): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(part).map(([key, value]) => {
        if ((key === "torch_dtype" || key === "dtype") && typeof value === "string") return [key, dtype];
        return [key, /^(text|vision|audio|encoder|decoder)(_config)?$/.test(key) && isObject(value) ? set(value) : value];
      }),
    );
  return set(config) as Config;
}

/**
 * Tells Transformers.js how many files of external data each ONNX file has. An entry that is not of one file (`true`, a stem) would
 * send it after files that are not there, so those go.
 */
export function withExternalData(config: Config, chunks: ReadonlyMap<string, number>): Config {
  const { use_external_data_format: old, ...others } = config["transformers.js_config"] ?? {};
  if (chunks.size === 0 && old === undefined) return config;
  const kept = isObject(old) ? Object.entries(old).filter(([key]) => key.endsWith(".onnx")) : [];
  const entries = { ...Object.fromEntries(kept), ...Object.fromEntries(chunks) };
  const use = Object.keys(entries).length > 0 ? { use_external_data_format: entries } : {};
  return { ...config, "transformers.js_config": { ...others, ...use } };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
