import { median } from "./report.ts";

/** Milliseconds of processor time of this process: what else runs on the machine does not count. */
export function clock(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

/** Milliseconds a call, over `calls`. */
async function time(run: () => unknown, calls: number): Promise<number> {
  const start = clock();
  for (let i = 0; i < calls; i++) {
    const result = run();
    if (result instanceof Promise) await result;
  }
  return (clock() - start) / calls;
}

export interface Race {
  /** Milliseconds a call: medians. */
  readonly ours: number;
  readonly theirs: number;
  /** The median of theirs over ours, turn by turn. */
  readonly ratio: number;
}

/** Times two ways to do the same in turns of at least `turn` milliseconds, after both have been compiled. */
export async function race(ours: () => unknown, theirs: () => unknown, rounds = 15, turn = 15): Promise<Race> {
  const calls: number[] = [];
  for (const run of [ours, theirs]) {
    await time(run, 3);
    calls.push(Math.max(1, Math.round(turn / (await time(run, 2)))));
  }
  const turns: [ours: number, theirs: number][] = [];
  for (let i = 0; i < rounds; i++) turns.push([await time(ours, calls[0]!), await time(theirs, calls[1]!)]);
  const of = (f: (turn: [number, number]) => number): number => median(turns.map(f));
  return { ours: of(([a]) => a), theirs: of(([, b]) => b), ratio: of(([a, b]) => b / a) };
}
