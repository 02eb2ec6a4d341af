/** A workerd under measurement: what it takes in, gives out and holds. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { startWorker } from "../../test/runtime/workerd.ts";
import { open, send } from "../../test/server/http.ts";

export interface Model {
  size: number;
  chunks(): Iterable<Uint8Array>;
}

export interface Run {
  seconds: number;
  /** Bytes of the answer. */
  bytes: number;
  /** Share of the upload that had been handed to the socket when the first byte of the answer came. */
  sentAtFirstByte: number;
}

export interface MeasuredWorker extends AsyncDisposable {
  /** Without a slash at its end. */
  url: string;
  run(path: string, model: Model): Promise<Run>;
  /** Resident bytes now. */
  resident(): Promise<number>;
  /** The most resident bytes while `work` ran. */
  peak(work: () => Promise<unknown>): Promise<number>;
  dispose(): Promise<void>;
}

/** Starts the Worker, with R2 as it is deployed; `persist` is a folder that keeps its bucket. */
export async function measuredWorker(
  entry = "bench/worker/entry.ts",
  bindings: Record<string, string> = {},
  persist?: string,
): Promise<MeasuredWorker> {
  const worker = await startWorker({ entry, bindings, ...(persist !== undefined && { persist }) });
  const url = (await worker.ready).href.replace(/\/$/, "");
  const pid = await childNamed("workerd");
  const status = async (field: string): Promise<number> => {
    const text = await readFile(`/proc/${pid}/status`, "utf8");
    return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(text)?.[1]) * 1024;
  };
  return {
    url,
    async run(path, model) {
      const started = performance.now();
      const { request, response } = open(url + path, { headers: { "content-length": String(model.size) } });
      let sent = 0;
      const counted = function* () {
        for (const chunk of model.chunks()) {
          yield chunk;
          sent += chunk.byteLength;
        }
      };
      const sending = send(request, counted());
      const message = await response;
      let bytes = 0;
      let sentAtFirstByte = 0;
      for await (const chunk of message) {
        if (bytes === 0) sentAtFirstByte = sent / model.size;
        bytes += (chunk as Uint8Array).byteLength;
      }
      await sending;
      if (message.statusCode !== 200 || !message.complete) throw new Error(`${path} answered ${message.statusCode} and ${bytes} bytes`);
      return { seconds: (performance.now() - started) / 1000, bytes, sentAtFirstByte };
    },
    resident: () => status("VmRSS"),
    async peak(work) {
      await writeFile(`/proc/${pid}/clear_refs`, "5"); // resets VmHWM: man 5 proc
      await work();
      return status("VmHWM");
    },
    dispose: () => worker.dispose(),
    [Symbol.asyncDispose]: () => worker.dispose(),
  };
}

/** The newest child process of this one with that name. */
async function childNamed(name: string): Promise<number> {
  const found: number[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, "utf8").catch(() => "");
    const [, comm, parent] = /\((.*)\) \S+ (\d+)/.exec(stat) ?? [];
    if (comm === name && Number(parent) === process.pid) found.push(Number(entry));
  }
  const newest = Math.max(...found);
  if (!Number.isFinite(newest)) throw new Error(`No child process is called ${name}`);
  return newest;
}
