import cliProgress, { type Options, type SingleBar } from "cli-progress";
import { printable, size } from "./units.ts";

export interface ProgressBar {
  /** Starts a phase; `total` bytes are ahead of it, where known. */
  phase(name: string, total: number | undefined): void;
  at(bytes: number): void;
  stop(): void;
}

const silent: ProgressBar = { phase() {}, at() {}, stop() {} };

const line: NonNullable<Options["format"]> = (options, { value, total, startTime }, { name, known }: { name: string; known: boolean }) => {
  const elapsed = (Date.now() - startTime) / 1000;
  const rate = value / Math.max(elapsed, 0.001);
  const speed = `${size(value)} ${known ? `of ${size(total)} ` : ""}at ${size(rate)}/s`;
  if (!known) return `${name} ${speed}`;
  const left = rate > 0 ? Math.ceil((total - value) / rate) : 0;
  return `${name} ${cliProgress.Format.BarFormat(Math.min(1, value / total), options)} ${speed}, ${left} s left`;
};

/** A bar on standard error where that is a terminal, else nothing. */
export function progressBar(stderr: NodeJS.WriteStream = process.stderr): ProgressBar {
  if (!stderr.isTTY) return silent;
  let bar: SingleBar | undefined;
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  return {
    phase(name, total) {
      stop();
      const bars = { barsize: 30, barCompleteChar: "█", barIncompleteChar: "░" };
      bar = new cliProgress.SingleBar({
        format: line,
        stream: stderr,
        ...bars,
        hideCursor: true,
        clearOnComplete: true,
        gracefulExit: false,
      });
      bar.start(total || 1, 0, { name: printable(name), known: Boolean(total) });
    },
    at(bytes) {
      bar?.update(bytes);
    },
    stop,
  };
}
