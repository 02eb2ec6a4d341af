import { FormatError, LimitError, UnsupportedError } from "../../errors.ts";
import { abortableSource } from "../../io/abort.ts";
import type { Source } from "../../io/source.ts";
import { rangePayload } from "../../payload.ts";
import { carryData, type ExternalTensor, externalTensors, type Place } from "./external-read.ts";
import { INLINE, type Item, MAX_GRAPH_BYTES } from "./parse.ts";

/**
 * Finds a file beside the model; undefined where there is none. `location` is its path from the model's folder, as the model says it:
 * relative, with slashes, no step `..` or `.`, no colon, backslash or control character. Every other character stands for itself
 * (a `%` is no escape), and a link may still lead elsewhere: that is the finder's to prevent.
 * The source is read until the run ends, and each file is asked for once.
 */
export type FindSibling = (location: string) => Promise<Source | undefined>;

/** A file that holds external data. */
interface Sibling {
  location: string;
  source: Source;
  /** Bytes up to the end of the last tensor in it. */
  reach: number;
}

/** The files that hold a model's external data. */
export class Siblings {
  readonly #find: FindSibling | undefined;
  readonly #signal: AbortSignal | undefined;
  #held = 0;
  readonly #files = new Map<string, Sibling>();

  constructor(find: FindSibling | undefined, signal: AbortSignal | undefined) {
    this.#find = find;
    this.#signal = signal;
  }

  /** The files in use. */
  get files(): { location: string; size: number; reach: number }[] {
    return [...this.#files.values()].map(({ location, source, reach }) => ({ location, size: source.size, reach }));
  }

  /** Bytes of all files in use. */
  get bytes(): number {
    return this.files.reduce((n, { size }) => n + size, 0);
  }

  /**
   * Gives the tensors of an item the data that stands in other files, so that from here on none is external. Call it as items come.
   * Where `structure` alone is wanted, nothing is read.
   */
  async merge(item: Item, structure = false): Promise<void> {
    for (const tensor of externalTensors(item)) {
      const { message, info, place } = tensor;
      const { offset, length } = place;
      const source = await this.#source(tensor);
      if (structure || length >= INLINE) carryData(message, rangePayload(source, offset, length));
      else carryData(message, await this.#small(source, place, info.name));
    }
  }

  /** Data that would be part of the graph in a model of one file; it counts as such. */
  async #small(source: Source, { location, offset, length }: Place, tensor: string): Promise<Uint8Array> {
    this.#held += length;
    if (this.#held > MAX_GRAPH_BYTES)
      throw new LimitError("MAX_GRAPH_BYTES", `Small tensors in other files take more than ${MAX_GRAPH_BYTES} bytes`, { tensor });
    const bytes = length === 0 ? new Uint8Array(0) : await source.read(offset, length);
    if (bytes.byteLength === length) return bytes;
    throw new Error(`Cannot read '${location}': ${bytes.byteLength} of ${length} bytes came at offset ${offset}; did it change?`);
  }

  async #source({ info, message, place }: ExternalTensor): Promise<Source> {
    const { location, offset, length } = place;
    const at = { offset: message.offset, tensor: info.name };
    if (!this.#find) {
      const what = `Tensor '${info.name}' keeps its data in another file, '${location}' (external data); give the folder that holds the model and that file`;
      throw new UnsupportedError(what, at);
    }
    let file = this.#files.get(location);
    if (!file) {
      const found = await this.#find(location);
      if (!found)
        throw new FormatError(`Tensor '${info.name}' keeps its data in '${location}', which is not there`, { ...at, format: "onnx" });
      file = { location, source: abortableSource(found, this.#signal), reach: 0 };
      this.#files.set(location, file);
    }
    file.reach = Math.max(file.reach, offset + length);
    if (file.reach <= file.source.size) return file.source;
    const what = `Tensor '${info.name}' takes ${length} bytes at ${offset} of '${location}', which holds ${file.source.size}`;
    throw new FormatError(what, { ...at, format: "onnx" });
  }
}
