/** Headless Chromium from Debian, with a profile of its own that goes with it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Page } from "playwright-core";
import { needs } from "../kit/require.ts";

const CHROMIUM = "/usr/bin/chromium";

export const hasChromium = (): boolean => needs(CHROMIUM, "chromium");

const ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

/** A page; `close` ends the browser. */
export async function launchChromium(): Promise<{ page: Page; close(): Promise<void> }> {
  const profile = await mkdtemp(join(tmpdir(), "edgeslim-chromium-"));
  const browser = await chromium.launchPersistentContext(profile, { executablePath: CHROMIUM, args: ARGS });
  return {
    page: browser.pages()[0] ?? (await browser.newPage()),
    async close() {
      await browser.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}
