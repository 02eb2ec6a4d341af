/** SHA-256 of what each scheme makes of each model, for any runtime: from a stream, and from a source that can be read again. */
import type { Engine } from "../../src/engine/engine.ts";

export const SCHEMES = ["fp16", "bf16", "w8", "w4", "q8", "q4"] as const;

const hex = async (stream: ReadableStream<Uint8Array>): Promise<string> => {
  const digest = await crypto.subtle.digest("SHA-256", await new Response(stream as never).arrayBuffer());
  return Array.from(new Uint8Array(digest), (b) => b.toString(16).padStart(2, "0")).join("");
};

/** `name scheme stream|source` to digest, or the name of the error. */
export async function hashes({ compress }: Engine, models: Record<string, Uint8Array>): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, bytes] of Object.entries(models)) {
    for (const scheme of SCHEMES) {
      const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();
      for (const [way, from] of [
        ["stream", stream],
        ["source", bytes],
      ] as const) {
        const { readable, report } = compress(from, { quantize: scheme });
        // Runtimes differ in how a stream's failure looks; the report's is the engine's own.
        const failure = report.then(
          () => undefined,
          (error: Error) => error.name,
        );
        found[`${name} ${scheme} ${way}`] = await hex(readable).catch(async (error: Error) => (await failure) ?? error.name);
      }
    }
  }
  return found;
}
