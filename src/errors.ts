/** Says where in the input something was found. */
export interface Place {
  /** Byte offset in the source. */
  offset?: number;
  tensor?: string;
  node?: string;
}

/** Messages quote names, and a hostile name can be as long as its file. */
const MAX_MESSAGE = 1000;
const clipped = (message: string): string =>
  message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE / 2)} … ${message.slice(-MAX_MESSAGE / 2)}`;

/** The bytes break their format, or a document fails its schema. `format` is absent when no format was recognized at all. */
export class FormatError extends Error {
  override readonly name = "FormatError";
  readonly place: Place;
  readonly format: string | undefined;
  constructor(message: string, { format, ...place }: Place & { format?: string } = {}) {
    super(place.offset === undefined ? clipped(message) : `${clipped(message)} (at byte ${place.offset})`);
    this.format = format;
    this.place = place;
  }
}

/** Valid input that cannot be done; the message names the tensor or node, the reason and the way out. */
export class UnsupportedError extends Error {
  override readonly name = "UnsupportedError";
  readonly place: Place;
  constructor(message: string, place: Place = {}) {
    super(clipped(message));
    this.place = place;
  }
}

/** Something is larger than a named limit (`MAX_…`); the message says what to do instead. */
export class LimitError extends Error {
  override readonly name = "LimitError";
  readonly limit: string;
  readonly place: Place;
  constructor(limit: string, message: string, place: Place = {}) {
    super(`${clipped(message)} [${limit}]`);
    this.limit = limit;
    this.place = place;
  }
}
