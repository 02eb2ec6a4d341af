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
/** Where a contestant runs: this process's Node, or Deno. */
const RUNTIMES = {
  node: [process.execPath],
  deno: [fileURLToPath(new URL("../node_modules/.bin/deno", import.meta.url)), "run", "--allow-all"],
} as const satisfies Record<string, readonly string[]>;
export type Runtime = keyof typeof RUNTIMES;

/** A turn lasts this long at least, so that short runs are many. */
const TURN_MS = 30;

/** A model with what it is run on. */
export interface Case {
  bytes: Uint8Array;
  feeds: Feeds;
}

/** Files of a case in a folder of their own, for another process; the folder goes at the end. */
export class CaseFiles implements AsyncDisposable {
  readonly #folder: string;
  readonly model: string;
  readonly feeds: string;

  private constructor(folder: string) {
    this.#folder = folder;
    [this.model, this.feeds] = [join(folder, "model.onnx"), join(folder, "feeds.json")];
  }

  static async write({ bytes, feeds }: Case): Promise<CaseFiles> {
    const files = new CaseFiles(await mkdtemp(join(tmpdir(), "edgeslim-bench-")));
    await Promise.all([writeFile(files.model, bytes), writeFile(files.feeds, toLine(feeds))]);
    return files;
  }

  [Symbol.asyncDispose] = (): Promise<void> => rm(this.#folder, { recursive: true, force: true });
}

/** One peer at work on a case. */
export class Contestant implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #files: CaseFiles;

  private constructor(child: ChildProcess, files: CaseFiles) {
    this.#child = child;
    this.#files = files;
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  static async start(peer: Peer, model: Case, runtime: Runtime = "node"): Promise<Contestant> {
    const files = await CaseFiles.write(model);
    const [command, ...before] = RUNTIMES[runtime];
    const child = spawn(command, [...before, SCRIPT, peer, files.model, files.feeds], { stdio: ["pipe", "pipe", "inherit"] });
    return new Contestant(child, files);
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
    await this.#files[Symbol.asyncDispose]();
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
