import type { Place } from "../formats/onnx/external-read.ts";
import type { BlockPool } from "../io/blocks.ts";
import { Output } from "../io/output.ts";
import type { Sink } from "../io/sink.ts";
import type { Payload } from "../payload.ts";

/** Where an ONNX model goes that is too large for one file: data of its tensors into files beside it. */
export interface ExternalSink {
  /** The model's own file name, as in `model_quantized.onnx`; its data goes to `NAME_data`, then `NAME_data_1`, `NAME_data_2`, … */
  name: string;
  /**
   * Opens a data file in the model's folder. Files are opened and closed one after the other while the model's own is written, which closes
   * last. When the run fails, every sink is aborted, those that were closed before too: what they hold must go, or not have appeared yet.
   */
  open(name: string): Promise<Sink>;
  /** Bytes of a data file at most, where no tensor is larger. A model that is larger in all is then split. */
  shard?: number | undefined;
  /** Data of fewer bytes stays in the model's own file: 1024 unless said, and below that a model may not load. */
  threshold?: number | undefined;
  /** Moves data out of a model that would fit into one file, too. */
  always?: boolean | undefined;
}

/** A data file and its bytes. */
export interface DataFile {
  name: string;
  bytes: number;
}

/** Shapes and axes must stay in the model's own file, where onnxruntime infers shapes from them; what is as large as this is none. */
const THRESHOLD = 1024;
/** Offsets should be multiples of a page, so that a file can be mapped: https://github.com/onnx/onnx/blob/main/docs/ExternalData.md */
const PAGE = 4096;
/** That would make small tensors large, and onnxruntime maps any offset: one smaller than a page starts a cache line, as vectors like it. */
const LINE = 64;

/** Gives tensors their places in data files, in the order in which their data will be written. */
export class DataPlan {
  readonly files: DataFile[] = [];
  readonly #sink: ExternalSink;
  readonly #exceeded: (tensor: string) => void;

  /** `exceeded` is told of tensors larger than a shard. */
  constructor(sink: ExternalSink, exceeded: (tensor: string) => void) {
    this.#sink = sink;
    this.#exceeded = exceeded;
  }

  /** The place of a tensor's `length` bytes; undefined where they stay in the model's own file. */
  readonly place = (length: number, tensor: string): Place | undefined => {
    const { name, shard = Number.POSITIVE_INFINITY, threshold = THRESHOLD } = this.#sink;
    if (length < Math.max(1, threshold)) return undefined;
    if (length > shard) this.#exceeded(tensor);
    const step = length < PAGE ? LINE : PAGE;
    let file = this.files.at(-1);
    let offset = file ? Math.ceil(file.bytes / step) * step : 0;
    if (!file || offset + length > shard) {
      file = { name: this.files.length === 0 ? `${name}_data` : `${name}_data_${this.files.length}`, bytes: 0 };
      this.files.push(file);
      offset = 0;
    }
    file.bytes = offset + length;
    return { location: file.name, offset, length };
  };
}

/** Writes data files one after the other. */
export class DataFiles {
  readonly sink: ExternalSink;
  readonly #blocks: BlockPool;
  readonly #signal: AbortSignal | undefined;
  readonly #opened: { name: string; sink: Sink; out: Output }[] = [];
  /** Called when bytes have been taken. */
  onWrite: () => void = () => {};

  constructor(sink: ExternalSink, blocks: BlockPool, signal: AbortSignal | undefined) {
    this.sink = sink;
    this.#blocks = blocks;
    this.#signal = signal;
  }

  /** Whether data files are asked for, not just allowed. */
  get isAsked(): boolean {
    return this.sink.always === true || this.sink.shard !== undefined;
  }

  get names(): string[] {
    return this.#opened.map(({ name }) => name);
  }

  /** Bytes written, or on their way. */
  get length(): number {
    return this.#opened.reduce((n, { out }) => n + out.length, 0);
  }

  /** Most bytes that waited at once. */
  get peak(): number {
    return Math.max(0, ...this.#opened.map(({ out }) => out.peak));
  }

  /** The output at a place, which is the next in the plan. */
  async at({ location, offset }: Place): Promise<Output> {
    let open = this.#opened.at(-1);
    if (open?.name !== location) {
      await open?.out.close();
      const sink = await this.sink.open(location);
      open = { name: location, sink, out: new Output(sink, this.#blocks, this.#signal, false) };
      open.out.onWrite = () => this.onWrite();
      this.#opened.push(open);
    }
    if (open.out.length > offset) throw new RangeError(`${location} is at byte ${open.out.length}, past ${offset}.`);
    open.out.put(new Uint8Array(offset - open.out.length));
    return open.out;
  }

  async write(place: Place, payload: Payload): Promise<void> {
    const out = await this.at(place);
    for await (const chunk of payload.chunks()) await out.write(chunk);
  }

  async close(): Promise<void> {
    await this.#opened.at(-1)?.out.close();
  }

  async abort(reason: unknown): Promise<void> {
    await Promise.allSettled(this.#opened.map(({ sink }) => sink.abort(reason)));
  }
}
