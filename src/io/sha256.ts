import { sha256 as noble } from "@noble/hashes/sha2.js";

interface Digest {
  update(bytes: Uint8Array): unknown;
}
interface NativeCrypto {
  createHash(algorithm: "sha256"): Digest & { digest(encoding: "hex"): string };
}

/** Node, Deno, Bun and workerd have a native incremental hash; a browser's `crypto.subtle` has none, so there @noble/hashes serves. */
const native = (globalThis as { process?: { getBuiltinModule?(name: string): unknown } }).process?.getBuiltinModule?.("node:crypto") as
  | NativeCrypto
  | undefined;

/** Incremental SHA-256. */
export class Sha256 {
  readonly #native = native?.createHash("sha256");
  readonly #noble = native ? undefined : noble.create();
  #spoilt = false;

  update(bytes: Uint8Array): void {
    if (!this.#spoilt) (this.#native ?? (this.#noble as Digest)).update(bytes);
  }

  /** Declares that what was hashed is not what stands in the file. */
  spoil(): void {
    this.#spoilt = true;
  }

  /** Lower-case hexadecimal digest; undefined when spoilt. Ends the hash. */
  hex(): string | undefined {
    if (this.#spoilt) return undefined;
    if (this.#native) return this.#native.digest("hex");
    return Array.from((this.#noble as { digest(): Uint8Array }).digest(), (b) => b.toString(16).padStart(2, "0")).join("");
  }
}
