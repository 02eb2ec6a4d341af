interface Closable {
  close(): Promise<void>;
}

interface Entry<T> {
  opening: Promise<T>;
  users: number;
}

/** Keeps the things used last open, up to a number of them: of a folder with many files few are read at a time. */
export class Kept<T extends Closable> {
  readonly #most: number;
  readonly #entries = new Map<string, Entry<T>>(); // the one used last comes last

  constructor(most: number) {
    this.#most = most;
  }

  /** Does something with a thing that is open, or is opened for it; it is not closed meanwhile. */
  async use<R>(name: string, open: () => Promise<T>, work: (thing: T) => Promise<R>): Promise<R> {
    const entry = this.#entries.get(name) ?? { opening: open(), users: 0 };
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    entry.users++;
    try {
      return await work(await entry.opening);
    } catch (error) {
      entry.opening.catch(() => this.#entries.delete(name)); // may open the next time
      throw error;
    } finally {
      entry.users--;
      await this.#tidy();
    }
  }

  async close(): Promise<void> {
    const all = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(all.map(closed));
  }

  async #tidy(): Promise<void> {
    for (const [name, entry] of this.#entries) {
      if (this.#entries.size <= this.#most) return;
      if (entry.users > 0) continue;
      this.#entries.delete(name);
      await closed(entry);
    }
  }
}

async function closed<T extends Closable>({ opening }: Entry<T>): Promise<void> {
  const thing = await opening.catch(() => undefined);
  await thing?.close();
}
