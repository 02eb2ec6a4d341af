/** Holds what is shipped to its budget: the kernels, and what a Worker's deployment uploads. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { node, ROOT } from "./build.mjs";

/** A Worker loads these before it answers its first request. */
export const MAX_WASM = 30_000;
export const MAX_INFER_WASM = 150_000;
export const MAX_WORKER = 320_000;

export const gzipped = (path) => gzipSync(readFileSync(path), { level: 9 }).byteLength;

/** Gzipped bytes that `wrangler deploy` would upload; nothing leaves this machine. */
export function workerUpload() {
  const out = mkdtempSync(join(tmpdir(), "edgeslim-upload-"));
  try {
    const wrangler = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
    const offline = { WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false", CI: "1" };
    const { status, stdout, stderr } = spawnSync(node(), [wrangler, "deploy", "--dry-run", "--minify", "--outdir", out], {
      cwd: ROOT,
      env: { ...process.env, ...offline },
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    if (status !== 0) throw new Error(`wrangler deploy --dry-run failed:\n${stdout}${stderr}`);
    const files = readdirSync(out, { recursive: true, encoding: "utf8" }).filter((file) => /\.(js|mjs|wasm)$/.test(file));
    return files.reduce((sum, file) => sum + gzipped(join(out, file)), 0);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const kernels = [
    ["compress", MAX_WASM],
    ["infer", MAX_INFER_WASM],
  ];
  const rows = kernels.flatMap(([name, most]) =>
    ["simd", "relaxed"].map((variant) => {
      const file = `build/${name}.${variant}.wasm`;
      return [file, gzipped(join(ROOT, file)), most];
    }),
  );
  if (existsSync(join(ROOT, "wrangler.toml")) && existsSync(join(ROOT, "src/worker.ts")))
    rows.push(["the Worker's upload", workerUpload(), MAX_WORKER]);
  else console.log("The Worker's upload is not measured: there is no wrangler.toml with src/worker.ts.");

  for (const [name, bytes, most] of rows)
    console.log(`${name}: ${bytes} of ${most} bytes gzipped${bytes > most ? ", over the budget" : ""}`);
  if (rows.some(([, bytes, most]) => bytes > most)) process.exit(1);
}
