import { existsSync } from "node:fs";

/**
 * Whether a Debian package that a test needs is there; says so where it is not, so that the test can skip. Where everything must be
 * there (`EDGESLIM_REQUIRE_ALL`, as .ci/run sets it) a missing package is a failure.
 * @example describe.skipIf(!needs("/usr/bin/chromium", "chromium"))("in a browser", () => { … });
 */
export function needs(path: string, packageName: string): boolean {
  if (existsSync(path)) return true;
  const message = `${path} is not there; install the Debian package '${packageName}'`;
  if (process.env.EDGESLIM_REQUIRE_ALL) throw new Error(message);
  console.warn(`Skipped: ${message}.`);
  return false;
}
