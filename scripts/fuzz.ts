/**
 * Fuzzes the parsers: `node scripts/fuzz.ts --seconds 60 --seed 1`. Prints the seed; a failing input is shrunk and saved.
 */
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import fc from "fast-check";
import { corpus } from "../test/hostile/corpus.ts";
import { judge } from "../test/hostile/judge.ts";
import { type Case, cases, mutate } from "../test/hostile/mutate.ts";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "60" }, seed: { type: "string", default: String(Date.now() % 2 ** 31) } },
});
const seed = Number(values.seed);
console.log(`seed ${seed}`);

let taken = 0;
let refused = 0;
const property = fc.asyncProperty(cases, async (found: Case) => {
  const { output } = await judge(mutate(found));
  if (output) taken++;
  else refused++;
});
const result = await fc.check(property, {
  seed,
  numRuns: 1e9,
  interruptAfterTimeLimit: Number(values.seconds) * 1000,
  endOnFailure: false,
});
console.log(`${taken + refused} inputs: ${taken} taken, ${refused} refused`);
if (result.failed && result.counterexample) {
  const [found] = result.counterexample;
  const path = join(tmpdir(), `edgeslim-fuzz-${seed}.bin`);
  writeFileSync(path, mutate(found).bytes);
  console.error(`${result.errorInstance}\nfrom "${corpus[found.specimen]?.name}" by ${JSON.stringify(found.mutations)}\nsaved as ${path}`);
  process.exitCode = 1;
}
