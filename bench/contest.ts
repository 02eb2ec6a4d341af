/** Peers in processes of their own that run in turns, never two at once. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Feeds } from "../test/kit/models/model.ts";
import type { Outputs } from "../test/kit/ort.ts";
import { fromLine, type Peer, toLine } from "./peers.ts";
import { median } from "./report.ts";

const SCRIPT = fileURLToPath(new URL("peer.ts", import.meta.url));
/** A turn lasts this long at least, so that short runs are many. */
const TURN_MS = 30;

/** A model with what it is run on. */
export interface Case {
  bytes: Uint8Array;
  feeds: Feeds;
}

/** One peer at work on a case. */
export class Contestant implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #folder: string;

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  static async start(peer: Peer, { bytes, feeds }: Case): Promise<Contestant> {
    const folder = await mkdtemp(join(tmpdir(), "edgeslim-bench-"));
    const [model, feedsFile] = [join(folder, "model.onnx"), join(folder, "feeds.json")];
    await Promise.all([writeFile(model, bytes), writeFile(feedsFile, toLine(feeds))]);
    const child = spawn(process.execPath, [SCRIPT, peer, model, feedsFile], { stdio: ["pipe", "pipe", "inherit"] });
    return new Contestant(child, folder);
  }

  async #ask(command: string): Promise<string> {
    this.#child.stdin!.write(`${command}\n`);
    const { done, value } = await this.#lines.next();
    if (done) throw new Error(`The process '${this.#child.spawnargs.slice(2).join(" ")}' ended at '${command}'; its messages say why`);
    return value;
  }

  warm = async (): Promise<Time> => JSON.parse(await this.#ask("warm")) as Time;
  run = async (count: number): Promise<Time> => JSON.parse(await this.#ask(`run ${count}`)) as Time;
  outputs = async (): Promise<Outputs> => fromLine(await this.#ask("outputs"));
  /** The most resident memory that the process has had, in bytes. */
  memory = async (): Promise<number> => Number(await this.#ask("memory"));

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) {
      const ended = once(this.#child, "exit");
      this.#child.stdin!.end();
      await ended;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Milliseconds of processor time, and as they passed. */
export interface Time {
  busy: number;
  passed: number;
}

export interface Standing {
  /** Milliseconds of a run: the median. */
  ms: number;
  /** How often the first contestant's run fits into this one's: the median over the rounds. */
  ratio: number;
  /** What passed over processor time; more than 1 where the machine, or a timer, lets it wait. */
  waiting: number;
}

/** Lets contestants run in turns, `rounds` times, once all are warm. The ratio is of processor time: what else runs on the machine does not count. */
export async function contest(contestants: readonly Contestant[], rounds: number): Promise<Standing[]> {
  const counts: number[] = [];
  for (const each of contestants) counts.push(Math.max(1, Math.round((2 * TURN_MS) / (await each.warm()).busy)));
  const turns: Time[][] = [];
  for (let round = 0; round < rounds; round++) {
    const turn: Time[] = [];
    for (const [i, each] of contestants.entries()) {
      const count = counts[i] as number;
      const { busy, passed } = await each.run(count);
      turn.push({ busy: busy / count, passed: passed / count });
    }
    turns.push(turn);
  }
  return contestants.map((_, i) => ({
    ms: median(turns.map((turn) => (turn[i] as Time).busy)),
    ratio: median(turns.map((turn) => (turn[i] as Time).busy / (turn[0] as Time).busy)),
    waiting: median(turns.map((turn) => (turn[i] as Time).passed / (turn[i] as Time).busy)),
  }));
}
