import { expect, test } from "vitest";
import { Kept } from "../../src/io/kept.ts";

const things = () => {
  const events: string[] = [];
  const open = (name: string) => async () => {
    events.push(`open ${name}`);
    return { name, close: async () => void events.push(`close ${name}`) };
  };
  return { events, open };
};
const nothing = async (): Promise<void> => {};

test("Kept keeps the things used last open, and closes the others", async () => {
  const { events, open } = things();
  const kept = new Kept<{ name: string; close(): Promise<void> }>(2);
  for (const name of ["a", "b", "a", "c", "a", "b"]) await kept.use(name, open(name), nothing);
  expect(events).toEqual(["open a", "open b", "open c", "close b", "open b", "close c"]);
  await kept.close();
  expect(events.slice(6).sort()).toEqual(["close a", "close b"]);
});

test("Kept does not close what is in use", async () => {
  const { events, open } = things();
  const kept = new Kept<{ name: string; close(): Promise<void> }>(1);
  let go = (): void => {};
  const long = kept.use("a", open("a"), () => new Promise<void>((resolve) => (go = resolve)));
  await kept.use("b", open("b"), nothing);
  expect(events).not.toContain("close a");
  go();
  await long;
  expect(events.filter((event) => event.startsWith("close"))).toHaveLength(1);
});

test("Kept opens again what failed to open, and what failed in use stays open", async () => {
  const { events, open } = things();
  const kept = new Kept<{ name: string; close(): Promise<void> }>(2);
  await expect(kept.use("a", () => Promise.reject(new Error("no")), nothing)).rejects.toThrow("no");
  await expect(kept.use("a", open("a"), () => Promise.reject(new Error("bad")))).rejects.toThrow("bad");
  await kept.use("a", open("a"), nothing);
  expect(events).toEqual(["open a"]);
});
