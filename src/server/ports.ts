import type { Engine } from "../engine/engine.ts";
import type { Input } from "../io/input.ts";
import type { Sink } from "../io/sink.ts";
import type { Source } from "../io/source.ts";
import type { Load } from "../runtime/load.ts";

/** What a store tells of an object without reading it. */
export interface StoredInfo {
  key: string;
  size: number;
  /** A strong entity tag, in its quotes. */
  etag: string;
  /** When it was last written. */
  modified: Date;
}

/** An object that can be read again and again: as a Source, or a range of it as a stream. */
export interface StoredObject extends StoredInfo {
  readonly source: Source;
  /** The bytes of one range, for a response. */
  stream(offset: number, length: number): Promise<ReadableStream<Uint8Array>>;
  /** Lets go of what the source holds open. */
  close(): Promise<void>;
}

/** A sink that can mend what it has written and read it again. */
export type StoreSink = Required<Sink>;

export interface PutOptions {
  /** Bytes that will come, where known. */
  size?: number | undefined;
  signal?: AbortSignal;
  /** Called whenever bytes have moved. */
  moved?: () => void;
}

/** Where models, data and reports live: an R2 bucket, a folder. An object is visible when it is complete, and never in part. */
export interface Store {
  head(key: string): Promise<StoredInfo | undefined>;
  open(key: string): Promise<StoredObject | undefined>;
  /** Stores what an input gives. On failure the key holds what it held before. */
  put(key: string, body: Input, options?: PutOptions): Promise<StoredInfo>;
  /** A sink that makes the object when it is closed. */
  sink(key: string): StoreSink;
  /** False where there was nothing. */
  delete(key: string): Promise<boolean>;
  /** Every object whose key starts with `prefix`, in the order of keys. */
  list(prefix: string): AsyncIterable<StoredInfo>;
}

/** A sink and the stream that a response reads from it; `bytes` is given where the length is known. */
export type OpenPipe = (bytes?: number) => { sink: Sink; readable: ReadableStream<Uint8Array> };

/** What a door hands to the application. */
export interface Ports {
  engine: Engine & { load: Load };
  /** Without one there are no stored models, and no reports. */
  store?: Store | undefined;
  openPipe: OpenPipe;
  /** Takes errors that are not about the request. */
  log: (error: unknown) => void;
  limits: Limits;
}

/** What one deployment allows. */
export interface Limits {
  /** Runs (compressions, inspections, uploads that must be buffered) at once; more are answered 503. */
  MAX_RUNNING: number;
  /** A run whose client neither takes nor gives 256 KiB for so long is dropped. */
  STALL_SECONDS: number;
  /** A run that has not been heard of for so long is reported as lost, and its place given to another. */
  LOST_SECONDS: number;
  /** Longest model whose SHA-256 the report tells: hashing is the dearest part of a run, and a Worker's processor time is limited. */
  MAX_HASHED_BYTES: number;
  /** Memory that the models kept for inference may take together, and each alone: weights and what its runs need. */
  MAX_HOT_BYTES: number;
  /** Inferences at once, the waiting ones too; more are answered 503. */
  MAX_INFERRING: number;
  /** Longest body of an inference. */
  MAX_INFER_BYTES: number;
}

/**
 * A Worker has 128 MB: a run may hold 32 MiB of look-ahead, its slabs and, on the way to R2, three parts. So two at once. Models for inference
 * get 72 MiB, so that a body, what is made of it and a run beside it find room.
 */
export const WORKER_LIMITS: Limits = {
  MAX_RUNNING: 2,
  STALL_SECONDS: 60,
  LOST_SECONDS: 180,
  MAX_HASHED_BYTES: 64 << 20,
  MAX_HOT_BYTES: 72 << 20,
  MAX_INFERRING: 4,
  MAX_INFER_BYTES: 16 << 20,
};

/** A machine of one's own. Kernels run on one thread, so more runs at once would only share it. */
export const HOST_LIMITS: Limits = {
  MAX_RUNNING: 16,
  STALL_SECONDS: 60,
  LOST_SECONDS: 180,
  MAX_HASHED_BYTES: Number.POSITIVE_INFINITY,
  MAX_HOT_BYTES: 2 ** 31,
  MAX_INFERRING: 64,
  MAX_INFER_BYTES: 256 << 20,
};
