// From nothing to a model's first outputs, in a process of its own: `node bench/first-run.ts edgeslim|onnxruntime-web MODEL FEEDS`. The file is
// in memory when the clock starts; the package is then imported as it is installed, its WebAssembly compiled, the model loaded and run.
import { readFile } from "node:fs/promises";
import type { Time } from "./contest.ts";
import { fromLine, type Peer } from "./peers.ts";
import { clock } from "./race.ts";

const [peer, file, feedsFile] = process.argv.slice(2) as [Peer, string, string];
const model = new Uint8Array(await readFile(file));
const feeds = fromLine(await readFile(feedsFile, "utf8"));

const first: Partial<Record<Peer, () => Promise<unknown>>> = {
  async edgeslim() {
    const { load } = (await import("edgeslim" as string)) as typeof import("../src/index.ts");
    const loaded = await load(model);
    return loaded.run(
      Object.fromEntries(Object.entries(feeds).map(([name, { type, dims, data }]) => [name, { dtype: type, shape: dims, data }])),
    );
  },
  async "onnxruntime-web"() {
    const { env, InferenceSession, Tensor } = await import("onnxruntime-web");
    env.wasm.numThreads = 1;
    const session = await InferenceSession.create(model, { executionProviders: ["wasm"] });
    return session.run(
      Object.fromEntries(Object.entries(feeds).map(([name, { type, dims, data }]) => [name, new Tensor(type, data as Float32Array, dims)])),
    );
  },
};

const [busy, passed] = [clock(), performance.now()];
await first[peer]!();
console.log(JSON.stringify({ busy: clock() - busy, passed: performance.now() - passed } satisfies Time));
