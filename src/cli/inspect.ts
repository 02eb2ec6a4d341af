import { stat } from "node:fs/promises";
import { basename } from "node:path";
import type { ChannelGroup, Inspection, SchemeEstimate } from "../engine/inspect.ts";
import { inspect } from "../index.ts";
import { openFolder } from "./folder.ts";
import { openModel, withName } from "./model.ts";
import { writeOut } from "./streams.ts";
import { tellWarnings, warningLines } from "./summary.ts";
import { table } from "./table.ts";
import { count, percent, plural, printable, size, some } from "./units.ts";

const MOST_OPERATORS = 10;
const LARGEST_TENSORS = 10;
const LARGEST_GROUPS = 8;

export async function inspectCommand(path: string, { json }: { json?: boolean }, signal: AbortSignal): Promise<void> {
  if (path !== "-" && (await stat(path).catch(() => undefined))?.isDirectory()) return inspectFolder(path, json ?? false, signal);
  const model = await openModel(path, signal);
  try {
    const inspection = await inspect(model.source, { signal, siblings: model.siblings });
    await writeOut(
      json ? `${JSON.stringify(inspection, null, 2)}\n` : inspectionText(inspection, path === "-" ? "standard input" : basename(path)),
    );
  } catch (error) {
    throw withName(error, model.name);
  } finally {
    await model.close();
  }
}

async function inspectFolder(path: string, json: boolean, signal: AbortSignal): Promise<void> {
  const folder = await openFolder(path, signal);
  await tellWarnings(warningLines(folder));
  try {
    const inspection = await inspect(folder.files, { signal });
    if (json) return await writeOut(`${JSON.stringify(inspection, null, 2)}\n`);
    const { bytes, files, models } = inspection;
    await writeOut(`${printable(path)}: ${plural(files.length, "file")}, ${size(bytes)}\n\n`);
    await tellWarnings(warningLines(inspection));
    await writeOut(models.map((model) => inspectionText(model, model.file)).join("\n"));
  } catch (error) {
    throw withName(error, path);
  } finally {
    await folder.close();
  }
}

/** An inspection for people. */
export function inspectionText(model: Inspection, name: string): string {
  const { format, opset, ir_version, bytes, parameters, inputs, outputs, operators, operations, channels, tensors, schemes } = model;
  const facts: [string, string | undefined][] = [
    [
      "format",
      `${format === "onnx" ? "ONNX" : format}${opset === undefined ? "" : `, opset ${opset}`}${ir_version === undefined ? "" : `, IR ${ir_version}`}`,
    ],
    ["size", `${size(bytes)} (${bytes} bytes)`],
    ["parameters", `${count(parameters)} in ${plural(tensors.length, "tensor")}`],
    ["operations", operations ? `${count(operations)} a run, those of products` : undefined],
    ["inputs", inputs?.length ? some(inputs, 8) : undefined],
    ["outputs", outputs?.length ? some(outputs, 8) : undefined],
    ["operators", operators && topOperators(operators)],
  ];
  const blocks = [
    `${printable(name)}\n${facts.flatMap(([key, value]) => (value ? [`  ${key.padEnd(10)}  ${printable(value)}\n`] : [])).join("")}`,
    `What each scheme would give\n${table(
      schemes.map((scheme) => estimate(scheme, bytes)),
      ["scheme", "size", "of the source", "tensors"],
    )}`,
    channels?.length ? `Channels that can go, with what each takes along (--prune channel:RATIO)\n${channelText(channels)}` : "",
    tensors.length > 0 ? `Largest tensors\n${largest(model)}` : "",
  ];
  return blocks.filter(Boolean).join("\n");
}

function topOperators(operators: Record<string, number>): string | undefined {
  const all = Object.entries(operators).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return all.length > 0
    ? some(
        all.map(([name, n]) => `${name} ×${n}`),
        MOST_OPERATORS,
      )
    : undefined;
}

const estimate = ({ scheme, bytes, tensors, reason, needs }: SchemeEstimate, source: number): string[] =>
  bytes === undefined
    ? [scheme, "–", "–", reason ?? "cannot be used"]
    : [scheme, size(bytes), percent(bytes, source), `${counts(tensors ?? {})}${needs ? "; with --calibrate" : ""}`];

const counts = (tensors: Record<string, number>): string =>
  Object.entries(tensors)
    .sort(([a], [b]) => Number(a === "kept") - Number(b === "kept"))
    .map(([action, n]) => `${n} ${action}`)
    .join(", ");

function largest({ tensors, bytes }: Inspection): string {
  const rows = [...tensors].sort((a, b) => b.bytes - a.bytes).slice(0, LARGEST_TENSORS);
  return table(
    rows.map((t) => [shortened(t.name), t.dtype, t.shape.join("×") || "scalar", size(t.bytes), percent(t.bytes, bytes), t.used_by]),
    ["name", "type", "shape", "size", "share", "used by"],
  );
}

/** The groups that hold most, then how many stay, and why. */
function channelText(groups: readonly ChannelGroup[]): string {
  const held = ({ channels, parameters_each }: ChannelGroup): number => channels * parameters_each;
  const free = groups.filter(({ reason }) => reason === undefined).sort((a, b) => held(b) - held(a));
  const rows = free.slice(0, LARGEST_GROUPS).map(({ name, layers, channels, width, parameters_each }) => {
    const others = layers.length > 1 ? ` and ${plural(layers.length - 1, "other")}` : "";
    return [`${shortened(name)}${others}`, `${channels}${width ? ` by ${width}` : ""}`, count(parameters_each)];
  });
  if (free.length > LARGEST_GROUPS) rows.push([`${free.length - LARGEST_GROUPS} more groups`, "", ""]);
  const stays = new Map<string, string[]>();
  for (const { name, reason } of groups) if (reason !== undefined) stays.set(reason, [...(stays.get(reason) ?? []), name]);
  const kept = [...stays].sort(([, a], [, b]) => b.length - a.length).slice(0, LARGEST_GROUPS);
  const staying = kept.map(([reason, names]) => [reason, some(names, 3)]);
  const can = free.length > 0 ? table(rows, ["made by", "channels", "parameters each"]) : "  none\n";
  return staying.length > 0 ? `${can}\nChannels that stay\n${table(staying, ["because", "made by"])}` : can;
}

const shortened = (name: string): string => (name.length > 48 ? `…${name.slice(-47)}` : name);
