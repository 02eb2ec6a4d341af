import { FormatError, LimitError, UnsupportedError } from "../errors.ts";

/** Says of an error about a model which file of its folder it is about; the engine knows models by their bytes only. */
export async function inFile<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isAboutModel(error) && !error.message.startsWith(`${file}: `)) error.message = `${file}: ${error.message}`;
    throw error;
  }
}

/** Errors that say something of the input. */
export const isAboutModel = (error: unknown): error is FormatError | UnsupportedError | LimitError =>
  error instanceof FormatError || error instanceof UnsupportedError || error instanceof LimitError;
