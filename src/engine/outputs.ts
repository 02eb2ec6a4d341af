import { UnsupportedError } from "../errors.ts";
import type { FolderSink } from "../io/folder.ts";
import { type Input, sourceInput } from "../io/input.ts";
import type { Sink } from "../io/sink.ts";
import type { Source } from "../io/source.ts";

interface OutputFile {
  sink: Sink | undefined;
  bytes: number;
  closed: boolean;
}

/** The files of a result. Each is opened with its first byte, so that a run that is refused before leaves no trace. */
export class Outputs {
  readonly #into: FolderSink;
  readonly #files = new Map<string, OutputFile>();

  constructor(into: FolderSink) {
    this.#into = into;
  }

  /** Names in the order in which they were begun. */
  get names(): string[] {
    return [...this.#files.keys()];
  }

  bytesOf(name: string): number {
    return this.#files.get(name)?.bytes ?? 0;
  }

  /** A sink for a new file. @throws {UnsupportedError} for a name that is taken. */
  sink(name: string): Sink {
    if (this.#files.has(name)) throw new UnsupportedError(`Two files of the result would be named '${name}'; rename their sources`);
    const file: OutputFile = { sink: undefined, bytes: 0, closed: false };
    this.#files.set(name, file);
    const opened = async (): Promise<Sink> => {
      file.sink ??= await this.#into.open(name);
      return file.sink;
    };
    return {
      write: async (bytes) => {
        await (await opened()).write(bytes);
        file.bytes += bytes.byteLength;
      },
      close: async () => {
        await (await opened()).close();
        file.closed = true;
      },
      abort: async (reason) => {
        this.#files.delete(name);
        await file.sink?.abort(reason);
      },
    };
  }

  /** Writes a whole file. */
  async put(name: string, bytes: Uint8Array): Promise<void> {
    const sink = this.sink(name);
    await sink.write(bytes);
    await sink.close();
  }

  /** Copies a source byte for byte. */
  async copy(name: string, source: Source, options: { signal?: AbortSignal | undefined; moved?: (bytes: number) => void }): Promise<void> {
    const sink = this.sink(name);
    const input: Input = sourceInput(source);
    for (let chunk = await input.pull(); chunk; chunk = await input.pull()) {
      options.signal?.throwIfAborted();
      await sink.write(chunk);
      options.moved?.(this.bytesOf(name));
    }
    await sink.close();
  }

  /** What was written, where its sinks can read it again. */
  async sources(): Promise<Record<string, Source>> {
    const entries: [string, Source][] = [];
    for (const [name, { sink }] of this.#files) if (sink?.reopen) entries.push([name, await sink.reopen()]);
    return Object.fromEntries(entries);
  }

  /** Drops files, complete ones too: all of them unless named. */
  async abort(reason: unknown, names: readonly string[] = this.names): Promise<void> {
    const sinks = names.map((name) => this.#files.get(name)?.sink);
    for (const name of names) this.#files.delete(name);
    await Promise.allSettled(sinks.map((sink) => sink?.abort(reason)));
  }
}
