import { CommanderError } from "commander";
import { FormatError, LimitError, UnsupportedError } from "../errors.ts";

/** Exit codes, as users' scripts know them. */
export const EXIT = { done: 0, failed: 1, usage: 2, invalid: 3, target: 4, interrupted: 130, terminated: 143 } as const;

/** The command was called wrongly: an unknown word, a missing file. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** Lines after the message: what could be given, say. */
  readonly lines: readonly string[];
  constructor(message: string, lines: readonly string[] = []) {
    super(message);
    this.lines = lines;
  }
}

/** The user or the system asked to stop. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly code: number;
  constructor(signal: "SIGINT" | "SIGTERM" | "SIGHUP") {
    super(signal === "SIGINT" ? "interrupted" : `stopped by ${signal}`);
    this.code = signal === "SIGINT" ? EXIT.interrupted : signal === "SIGTERM" ? EXIT.terminated : 129;
  }
}

export function exitCode(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof FormatError || error instanceof UnsupportedError || error instanceof LimitError) return EXIT.invalid;
  if (error instanceof Interrupted) return error.code;
  return EXIT.failed;
}

interface SystemError extends Error {
  code: string;
  path?: string;
}

export const isSystemError = (error: unknown): error is SystemError =>
  error instanceof Error && typeof (error as Partial<SystemError>).code === "string";

const REASONS: Record<string, string> = {
  ENOENT: "there is no such file or folder",
  ENOTDIR: "a part of the path is not a folder",
  EISDIR: "it is a folder, expected a file",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOSPC: "no space is left on the device",
  EDQUOT: "the disk quota is used up",
  EMFILE: "too many files are open",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "too many symbolic links",
  EADDRINUSE: "the address is in use; choose another with --port",
};

/** Why the system refused, in words. */
export const reasonOf = (error: unknown): string =>
  (isSystemError(error) && REASONS[error.code]) || (error instanceof Error ? error.message : String(error));

/** Lines that follow it. */
export const linesOf = (error: unknown): readonly string[] => (error instanceof UsageError ? error.lines : []);

/** The line that the user reads; undefined where there is nothing to say: the reader of our output went away, or help was shown. */
export function messageOf(error: unknown): string | undefined {
  if (error instanceof CommanderError) return undefined; // commander has said it
  if (isSystemError(error)) {
    if (error.code === "EPIPE") return undefined;
    if (error.code in REASONS) return error.path ? `Cannot open ${error.path}: ${reasonOf(error)}` : reasonOf(error);
  }
  return error instanceof Error ? error.message : String(error);
}
