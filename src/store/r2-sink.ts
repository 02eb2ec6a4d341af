import type { R2Bucket, R2MultipartUpload, R2Object, R2UploadedPart } from "@cloudflare/workers-types";
import { LimitError } from "../errors.ts";
import type { Source } from "../io/source.ts";
import type { StoreSink } from "../server/ports.ts";
import { R2Source } from "./r2-source.ts";

/** The least that R2 takes as a part; all but the last must be equal. */
const PART_BYTES = 5 << 20;
/** R2 takes 10,000 parts: 48.8 GiB. */
const MAX_PARTS = 10_000;

/**
 * Writes an object in parts of which three are in memory at most: the first, held back so that it can be patched and sent last; one
 * on its way; one being filled. What fits into the first is put at once.
 */
export class R2Sink implements StoreSink {
  readonly #bucket: R2Bucket;
  readonly #key: string;
  #upload: R2MultipartUpload | undefined;
  readonly #parts: Promise<R2UploadedPart>[] = [];
  #first: Uint8Array | undefined;
  #part = new Uint8Array(64 << 10); // grows to PART_BYTES: most reports need no more
  #fill = 0;
  #spare: Uint8Array<ArrayBuffer> | undefined;
  #sending: Promise<R2UploadedPart> | undefined;
  #object: R2Object | undefined;
  #writing: Promise<void> = Promise.resolve();
  #gone = false;

  constructor(bucket: R2Bucket, key: string) {
    this.#bucket = bucket;
    this.#key = key;
  }

  /** What was made, once closed. */
  get object(): R2Object {
    if (!this.#object) throw new Error(`${this.#key} is not closed.`);
    return this.#object;
  }

  write(bytes: Uint8Array): Promise<void> {
    this.#writing = this.#write(bytes);
    return this.#writing;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength; ) {
      if (this.#fill === PART_BYTES) await this.#send();
      const n = Math.min(bytes.byteLength - at, PART_BYTES - this.#fill);
      this.#reserve(this.#fill + n);
      this.#part.set(bytes.subarray(at, at + n), this.#fill);
      this.#fill += n;
      at += n;
    }
  }

  async patch(offset: number, bytes: Uint8Array): Promise<void> {
    const first = this.#first ?? this.#part.subarray(0, this.#fill);
    if (offset + bytes.byteLength > first.byteLength) {
      throw new LimitError(
        "PART_BYTES",
        `Bytes at ${offset} cannot be mended: what stands before the graph is larger than ${PART_BYTES} bytes`,
        { offset },
      );
    }
    first.set(bytes, offset);
  }

  async close(): Promise<void> {
    const rest = this.#part.subarray(0, this.#fill);
    if (!this.#first) {
      this.#object = (await this.#bucket.put(this.#key, rest)) as R2Object;
    } else {
      const upload = this.#upload as R2MultipartUpload;
      this.#parts.push(upload.uploadPart(this.#parts.length + 2, rest));
      const parts = await Promise.all([upload.uploadPart(1, this.#first), ...this.#parts]);
      this.#object = await upload.complete(parts);
    }
    this.#release();
  }

  async reopen(): Promise<Source> {
    return new R2Source(this.#bucket, this.object);
  }

  async abort(): Promise<void> {
    this.#gone = true;
    await this.#writing.catch(() => {}); // it may be about to open an upload
    this.#release();
    await Promise.allSettled(this.#parts); // a part that arrives after the abort would stay
    if (this.#object)
      await this.#bucket.delete(this.#key); // the run failed after all
    else await this.#upload?.abort();
    this.#upload = undefined;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#part.byteLength) return;
    const larger = new Uint8Array(Math.min(PART_BYTES, Math.max(bytes, 4 * this.#part.byteLength)));
    larger.set(this.#part.subarray(0, this.#fill));
    this.#part = larger;
  }

  /** Starts to send a full part, when the one before it has arrived. */
  async #send(): Promise<void> {
    if (this.#gone) throw new Error(`The upload of ${this.#key} was aborted.`);
    if (!this.#first) {
      this.#upload = await this.#bucket.createMultipartUpload(this.#key);
      this.#first = this.#part;
      this.#part = new Uint8Array(PART_BYTES);
      this.#fill = 0;
      return;
    }
    if (this.#parts.length + 2 >= MAX_PARTS)
      throw new LimitError("MAX_PARTS", `The result is larger than ${MAX_PARTS} parts of ${PART_BYTES} bytes`);
    await this.#sending;
    const full = this.#part;
    this.#part = this.#spare ?? new Uint8Array(PART_BYTES);
    this.#spare = full;
    this.#fill = 0;
    this.#sending = (this.#upload as R2MultipartUpload).uploadPart(this.#parts.length + 2, full);
    this.#sending.catch(() => {}); // reported by the next part, or by close
    this.#parts.push(this.#sending);
  }

  #release(): void {
    this.#first = undefined;
    this.#spare = undefined;
    this.#part = new Uint8Array(0);
    this.#fill = 0;
  }
}
