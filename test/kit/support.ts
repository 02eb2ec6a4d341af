/** The sections of docs/support.md, which tests write and hold to. */
import { readFile, writeFile } from "node:fs/promises";
import { expect } from "vitest";

const SUPPORT = new URL("../../docs/support.md", import.meta.url);

/** Writes a section where EDGESLIM_WRITE_DOCS asks for it, else compares what `gist` leaves of it. */
export async function section(heading: string, body: string, gist: (text: string) => string = (text) => text): Promise<void> {
  const [intro, ...sections] = (await readFile(SUPPORT, "utf8")).split(/^(?=## )/m);
  const at = sections.findIndex((each) => each.startsWith(`## ${heading}\n`));
  const made = `## ${heading}\n\n${body}`;
  if (process.env.EDGESLIM_WRITE_DOCS) {
    sections[at < 0 ? sections.length : at] = made;
    await writeFile(SUPPORT, `${[intro, ...sections].map((part) => part?.trim()).join("\n\n")}\n`);
  } else expect(gist(sections[at] ?? "").trim()).toBe(gist(made));
}
