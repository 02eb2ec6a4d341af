import type { Plan } from "../engine/compress.ts";
import type { Store, StoreSink } from "./ports.ts";
import { HttpProblem } from "./problem.ts";
import type { Run } from "./run.ts";

/** The key of a result: its extension is known when the leading bytes have been read. */
export const outputKey = (name: string, { format }: Plan): string => `models/${name}/model.${format}`;

/** A sink into the store that is opened with the first byte, when the format is known. */
export function storeTarget(store: Store, run: Run, key: () => string, source: string | undefined): StoreSink {
  let sink: StoreSink | undefined;
  const opened = (): StoreSink => {
    run.signal.throwIfAborted();
    if (sink) return sink;
    if (key() === source) throw new HttpProblem(409, "The result would replace the model it is made from; choose another output");
    sink = store.sink(key());
    return sink;
  };
  return {
    async write(bytes) {
      await opened().write(bytes);
      run.moved();
    },
    patch: (offset, bytes) => opened().patch(offset, bytes),
    close: () => {
      run.settled();
      return opened().close();
    },
    reopen: () => opened().reopen(),
    abort: async (reason) => sink?.abort(reason),
  };
}
