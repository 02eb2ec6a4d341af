import { basename } from "node:path";
import type { Report } from "../engine/report.ts";
import { writeErr } from "./streams.ts";
import { count, percent, plural, printable, seconds, size, some } from "./units.ts";

/** What is not a scheme: the optimizer's words say what became of nodes and their constants. */
export const WITHOUT_SCHEME: ReadonlySet<string> = new Set(["kept", "dropped", "folded", "pruned"]);

/** How many tensors each scheme took, the commonest first. */
export function actions({ tensors }: Report): [action: string, count: number][] {
  const counts = new Map<string, number>();
  for (const { action } of tensors) if (!WITHOUT_SCHEME.has(action)) counts.set(action, (counts.get(action) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

/** `model.onnx 10.9 MB → model.w8.onnx 2.8 MB (25.7 %), 74 of 342 tensors w8, 0.1 s` */
export function summary(report: Report, from: string, to: string): string {
  const name = (path: string, standard: string): string => (path === "-" ? standard : basename(path));
  const { source, output, timing } = report;
  const [, ...data] = output.files ?? [];
  const beside = data.length > 0 ? ` with ${plural(data.length, "file")} of data` : "";
  return printable(
    `${name(from, "standard input")} ${size(source.bytes)} → ${name(to, "standard output")}${beside} ${size(output.bytes)} ` +
      `(${percent(output.bytes, source.bytes)}), ${actionsText(report)}, ${seconds(timing.seconds)}`,
  );
}

/** `765 → 351 nodes, 74 of 342 tensors w8` */
export function actionsText(report: Report): string {
  const done = actions(report);
  const all = plural(report.tensors.length, "tensor");
  const [only] = done;
  const tensors =
    done.length === 1 && only ? `${only[1]} of ${all} ${only[0]}` : `${done.map(([action, n]) => `${n} ${action}`).join(" + ")} of ${all}`;
  const { nodes } = report.optimization ?? {};
  const { parameters } = report.pruning ?? {};
  return [
    ...(nodes ? [`${nodes[0]} → ${nodes[1]} nodes`] : []),
    ...(parameters ? [`${count(parameters[0])} → ${count(parameters[1])} parameters`] : []),
    ...(done.length > 0 ? [tensors] : []),
  ].join(", ");
}

export async function tellWarnings(lines: readonly string[]): Promise<void> {
  for (const line of lines) await writeErr(`edgeslim: warning: ${printable(line)}\n`);
}

export const warningLines = ({ warnings }: Pick<Report, "warnings">): string[] =>
  warnings.map(({ message, tensors, nodes, files }) => {
    const names = [...(files ?? []), ...(tensors ?? []), ...(nodes ?? [])];
    return names.length > 0 ? `${message}: ${some(names)}` : message;
  });
