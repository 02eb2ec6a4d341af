import { basename, resolve } from "node:path";
import type { FolderReport, Variant } from "../engine/folder-report.ts";
import { actionsText } from "./summary.ts";
import { table } from "./table.ts";
import { percent, plural, printable, seconds, size, some } from "./units.ts";

/** A line about all, a row for each file that was made or refused, a line about what was copied. */
export function folderSummary(report: FolderReport, from: string, to: string): string {
  const { source, output, variants, copied, timing } = report;
  const several = new Set(variants.map(({ model }) => model)).size > 1;
  const head = `${basename(resolve(from))} ${size(source.bytes)} → ${to.replace(/(?<=.)[\\/]+$/, "")} ${size(output.bytes)}, ${seconds(timing.seconds)}`;
  const rest = copied.length > 0 ? `  copied: ${printable(some(copied, 8))}\n` : "";
  return `${printable(head)}\n${table(variants.flatMap((variant) => rows(variant, several)))}${rest}`;
}

function rows({ scheme = "optimize", model, files, bytes, report, refused }: Variant, several: boolean): string[][] {
  if (!report) return [[several ? `${scheme} of ${model}` : scheme, "–", "–", `refused: ${refused}`]];
  const [first = "", ...more] = files;
  const name = more.length > 0 ? `${first} and ${plural(more.length, "file")} more` : first;
  return [[name, size(bytes), percent(bytes, report.source.bytes), actionsText(report)]];
}
