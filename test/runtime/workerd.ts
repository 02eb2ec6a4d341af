/** The Worker in a real workerd, with a local R2 bucket. */
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";

const file = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** Bundles a module for workerd as wrangler does: WebAssembly stays a module of its own. */
export async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [file(entry)],
    bundle: true,
    write: false,
    format: "esm",
    conditions: ["workerd", "worker", "browser"],
    external: ["node:*"],
    plugins: [
      {
        name: "wasm",
        setup: (b) => b.onResolve({ filter: /\.wasm$/ }, ({ path }) => ({ path: path.replace(/^.*\//, "./"), external: true })),
      },
    ],
  });
  return outputFiles[0]?.text ?? "";
}

/** Multipart uploads that were neither completed nor aborted, in a bucket that is kept in a folder. */
export function openUploads(persist: string): string[] {
  const files = readdirSync(persist, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".sqlite"));
  return files.flatMap((path) => {
    const database = new DatabaseSync(join(persist, path), { readOnly: true });
    try {
      const table = database.prepare("SELECT name FROM sqlite_master WHERE name = '_mf_multipart_uploads'").get();
      return table
        ? database
            .prepare("SELECT key FROM _mf_multipart_uploads WHERE state = 0")
            .all()
            .map(({ key }) => `upload of ${key}`)
        : [];
    } finally {
      database.close();
    }
  });
}

/** Always `await dispose()`: a workerd left over keeps the test run from ending. */
export async function startWorker(
  options: { entry?: string; bindings?: Record<string, string>; r2?: boolean; persist?: string } = {},
): Promise<Miniflare> {
  const { entry = "src/worker.ts", bindings = {}, r2 = true, persist } = options;
  const wasm = async (variant: string) => ({
    type: "CompiledWasm" as const,
    path: `${variant}.wasm`,
    contents: new Uint8Array(await readFile(file(`build/${variant}.wasm`))),
  });
  const kernels = ["compress.simd", "infer.relaxed"];
  return new Miniflare(
    convertV4MiniflareOptions({
      modules: [{ type: "ESModule", path: "worker.mjs", contents: await bundle(entry) }, ...(await Promise.all(kernels.map(wasm)))],
      compatibilityDate: "2026-11-17",
      compatibilityFlags: ["nodejs_compat"],
      bindings,
      ...(r2 ? { r2Buckets: ["MODELS"] } : {}),
      ...(persist === undefined ? {} : { resourcePersistencePath: persist }),
    }),
  );
}
