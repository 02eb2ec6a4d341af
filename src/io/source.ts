/** Bytes that can be read anywhere and again: a file, a Blob, an R2 object, an HTTP resource with ranges. */
export interface Source {
  /** Total bytes. */
  readonly size: number;
  /**
   * Reads exactly `length` bytes at `offset`; the caller stays within `size` and may keep the result. `used` is a result that the caller
   * needs no more: its bytes may be filled again instead of new ones.
   */
  read(offset: number, length: number, used?: Uint8Array): Promise<Uint8Array>;
}

export const isSource = (value: unknown): value is Source =>
  typeof value === "object" && value !== null && typeof (value as Source).read === "function" && typeof (value as Source).size === "number";

/** A source over bytes in memory. */
export const memorySource = (bytes: Uint8Array): Source => ({
  size: bytes.byteLength,
  read: async (offset, length) => bytes.subarray(offset, offset + length),
});

/** A source over a Blob or File. */
export const blobSource = (blob: Blob): Source => ({
  size: blob.size,
  read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
});
