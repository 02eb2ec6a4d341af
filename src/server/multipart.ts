import { type MultipartError, make, type Parser } from "multipasta";
import { FormatError, LimitError } from "../errors.ts";
import type { Input } from "../io/input.ts";

/** The part `recipe` of a form; far above any recipe that its schema allows. */
const MAX_RECIPE_PART_BYTES = 256 << 10;
const MAX_PARTS = 8;

/** A form with the parts `recipe` (optional) and `model`, the model as an Input that is parsed while it arrives. */
export interface ModelForm {
  recipe: string | undefined;
  model: Input;
}

const bad = (message: string): FormatError => new FormatError(`The form ${message}`, { format: "multipart" });

/** Reads a multipart/form-data body up to the first byte of its part `model`. */
export async function readForm(contentType: string, body: Input): Promise<ModelForm> {
  const reader = new FormReader(contentType);
  const pull = async (): Promise<boolean> => {
    const chunk = await body.pull();
    if (!chunk) reader.end();
    else reader.push(chunk);
    return chunk !== undefined;
  };
  try {
    while (!reader.begun && (await pull()));
    if (!reader.begun) throw bad("has no part named 'model'");
  } catch (error) {
    await body.cancel(error);
    throw error;
  }
  const model: Input = {
    size: undefined,
    async pull() {
      while (reader.chunks.length === 0 && (await pull()));
      return reader.chunks.shift();
    },
    cancel: (reason) => body.cancel(reason),
  };
  return { recipe: reader.recipe, model };
}

/** Feeds the parser, and refuses what is not a recipe followed by a model. */
class FormReader {
  readonly chunks: Uint8Array[] = [];
  recipe: string | undefined;
  begun = false;
  readonly #parser: Parser;
  #complete = false;
  #error: Error | undefined;

  constructor(contentType: string) {
    this.#parser = make({
      headers: { "content-type": contentType },
      maxParts: MAX_PARTS,
      maxFieldSize: MAX_RECIPE_PART_BYTES,
      isFile: ({ name }) => name === "model",
      onField: ({ name }, value) => {
        if (name !== "recipe") this.#error ??= bad(`has a part named ${JSON.stringify(name)}; expected 'recipe' and 'model'`);
        else if (this.begun) this.#error ??= bad("has its part 'recipe' after 'model': it must come before");
        else if (this.recipe !== undefined) this.#error ??= bad("has two parts named 'recipe'");
        else this.recipe = new TextDecoder().decode(value);
      },
      onFile: () => {
        if (this.begun) this.#error ??= bad("has two parts named 'model'");
        this.begun = true;
        return (chunk) => void (chunk?.byteLength && this.chunks.push(chunk));
      },
      onError: (error) => void (this.#error ??= explained(error)),
      onDone: () => void (this.#complete = true),
    });
  }

  push(chunk: Uint8Array): void {
    if (this.#complete) return; // an epilogue says nothing
    try {
      this.#parser.write(chunk.slice()); // the parser keeps views of it, the input its buffer
    } catch (cause) {
      if (!(cause instanceof URIError)) throw cause;
      this.#error ??= bad("has a malformed file name"); // the parser decodes filename*
    }
    if (this.#error) throw this.#error;
  }

  end(): void {
    if (!this.#complete) throw bad("ends before its closing boundary");
  }
}

function explained(error: MultipartError): Error {
  switch (error._tag) {
    case "InvalidBoundary":
      return bad("has no boundary in its Content-Type");
    case "BadHeaders":
      return bad(`has a part with broken headers (${error.error.reason})`);
    case "InvalidDisposition":
      return bad("has a part without a name");
    case "EndNotReached":
      return bad("ends before its closing boundary");
    case "ReachedLimit":
      return error.limit === "MaxFieldSize"
        ? new LimitError("MAX_RECIPE_PART_BYTES", `A part of the form is larger than ${MAX_RECIPE_PART_BYTES} bytes`)
        : new LimitError("MAX_PARTS", `The form has more than ${MAX_PARTS} parts`);
  }
}
