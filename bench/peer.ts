// One peer with one model, in a process of its own: `node bench/peer.ts PEER MODEL FEEDS`. It answers each line of its input with one: `run 3`
// with the milliseconds of three runs, `outputs` with what a run gives, `memory` with the most memory that it has had.
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fromLine, PEERS, type Peer, toLine } from "./peers.ts";
import { clock } from "./race.ts";

/** Runs before the first that counts, and for how long at least: by then all is compiled. */
const WARM = { runs: 3, ms: 700 };

const [peer, model, feedsFile] = process.argv.slice(2) as [Peer, string, string];
const feeds = fromLine(await readFile(feedsFile, "utf8"));
const running = await PEERS[peer](model);

/** Milliseconds of the process's processor time, and as they passed. */
async function timed(runs: number): Promise<{ busy: number; passed: number }> {
  const [busy, passed] = [clock(), performance.now()];
  for (let i = 0; i < runs; i++) await running.run(feeds);
  return { busy: clock() - busy, passed: performance.now() - passed };
}

const answers: Record<string, (count: number) => Promise<string>> = {
  async warm() {
    for (let start = clock(), i = 0; i < WARM.runs || clock() - start < WARM.ms; i++) await running.run(feeds);
    return JSON.stringify(await timed(2));
  },
  run: async (count) => JSON.stringify(await timed(count)),
  outputs: async () => toLine(await running.run(feeds)),
  memory: async () => JSON.stringify(process.resourceUsage().maxRSS * 1024),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [command = "", count] = line.split(" ");
  const answer = answers[command];
  if (!answer) throw new RangeError(`Cannot answer '${line}': expected ${Object.keys(answers).join(", ")}`);
  process.stdout.write(`${await answer(Number(count))}\n`);
}
