import type { R2Bucket, R2Object } from "@cloudflare/workers-types";
import type { Source } from "../io/source.ts";

/** Unit of reading ahead and of keeping. */
const PAGE = 1 << 20;
/** Pages kept: what is read twice (a tensor whose scale depends on all of it) often lies within them. */
const MAX_PAGES = 8;
/** Pages that are read and dropped rather than asked for anew: a request costs more. */
const MAX_AHEAD = 4;

interface Body {
  reader: ReadableStreamBYOBReader & {
    readAtLeast(bytes: number, view: Uint8Array): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>>;
  };
  /** The page that comes next. */
  page: number;
}

/**
 * An R2 object as a Source. One body stays open from the last place on, so that reading on makes no request, and the last pages
 * are kept. Reads take turns.
 */
export class R2Source implements Source {
  readonly size: number;
  readonly #bucket: R2Bucket;
  readonly #object: R2Object;
  readonly #pages = new Map<number, Uint8Array>();
  #body: Body | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(bucket: R2Bucket, object: R2Object) {
    this.#bucket = bucket;
    this.#object = object;
    this.size = object.size;
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = this.#turn.then(() => this.#read(offset, length));
    this.#turn = bytes.catch(() => {});
    return bytes;
  }

  async close(): Promise<void> {
    this.#pages.clear();
    const body = this.#body;
    this.#body = undefined;
    await body?.reader.cancel().catch(() => {});
  }

  async #read(offset: number, length: number): Promise<Uint8Array> {
    const first = Math.floor(offset / PAGE);
    const page = await this.#page(first);
    if (offset + length <= first * PAGE + page.byteLength) return page.subarray(offset - first * PAGE, offset - first * PAGE + length);
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const index = Math.floor((offset + at) / PAGE);
      const from = offset + at - index * PAGE;
      const part = (await this.#page(index)).subarray(from, from + length - at);
      if (part.byteLength === 0) throw new RangeError(`${offset + at} lies outside ${this.#object.key}`);
      bytes.set(part, at);
      at += part.byteLength;
    }
    return bytes;
  }

  async #page(index: number): Promise<Uint8Array> {
    const kept = this.#pages.get(index);
    if (kept) return kept;
    if (!this.#body || index < this.#body.page || index - this.#body.page > MAX_AHEAD) await this.#open(index);
    const body = this.#body as Body;
    for (;;) {
      const bytes = await this.#next(body);
      const page = body.page++;
      this.#pages.set(page, bytes);
      if (this.#pages.size > MAX_PAGES) this.#pages.delete(this.#pages.keys().next().value as number);
      if (page === index) return bytes;
    }
  }

  async #next({ reader, page }: Body): Promise<Uint8Array> {
    const expected = Math.min(PAGE, this.size - page * PAGE);
    if (expected <= 0) return new Uint8Array(0);
    const { value } = await reader.readAtLeast(expected, new Uint8Array(expected));
    if (value?.byteLength !== expected)
      throw new Error(`${this.#object.key} ended early: page ${page} has ${value?.byteLength} of ${expected} bytes`);
    return value;
  }

  async #open(page: number): Promise<void> {
    await this.#body?.reader.cancel().catch(() => {});
    this.#body = undefined;
    const offset = page * PAGE;
    if (offset >= this.size) {
      throw new RangeError(`${offset} lies outside ${this.#object.key}`);
    }
    const { key, etag } = this.#object;
    const part = await this.#bucket.get(key, { range: { offset, length: this.size - offset }, onlyIf: { etagMatches: etag } });
    if (!part || !("body" in part)) throw new Error(`${key} was replaced while it was read.`);
    this.#body = { reader: part.body.getReader({ mode: "byob" }) as unknown as Body["reader"], page };
  }
}
