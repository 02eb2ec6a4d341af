/** The command-line door. */
import { CommanderError } from "commander";
import { exitCode, Interrupted, linesOf, messageOf } from "./exit.ts";
import { program } from "./program.ts";
import { writeErr } from "./streams.ts";
import { printable } from "./units.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs the command line and says with which code the process should exit. A signal aborts the run, which then clears its
 * temporary files away; results go to standard output, everything else to standard error.
 */
export async function main(args: readonly string[]): Promise<number> {
  const interrupt = new AbortController();
  for (const signal of SIGNALS) process.on(signal, () => interrupt.abort(new Interrupted(signal)));
  // A reader that has gone away shows in the write that fails; without a listener it would end the process.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  try {
    await program(interrupt.signal).parseAsync(args, { from: "user" });
    return 0;
  } catch (thrown) {
    // What fails because of an interruption is an interruption.
    const error = interrupt.signal.aborted && !(thrown instanceof CommanderError) ? interrupt.signal.reason : thrown;
    const debug = /\bedgeslim\b/.test(process.env.DEBUG ?? "") && error instanceof Error;
    const message = messageOf(error);
    if (debug) await writeErr(`edgeslim: ${(error.stack ?? "").split("\n").map(printable).join("\n")}\n`);
    else if (message) await writeErr(`edgeslim: ${[message, ...linesOf(error)].map(printable).join("\n")}\n`);
    return exitCode(error);
  }
}
