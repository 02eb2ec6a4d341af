import { html, raw } from "hono/html";
import type { FolderReport, Variant } from "../engine/folder-report.ts";
import type { LayerReport } from "../engine/layers.ts";
import type { Report, TensorReport, Warning } from "../engine/report.ts";
import { actionsText, WITHOUT_SCHEME } from "./summary.ts";
import { percent, plural, seconds, size } from "./units.ts";

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2024; --dim: #60646c; --line: #e0e1e6; --panel: #f8f9fb; --paper: #fff; --accent: #0d74ce; --warn: #fff3d1; --warn-ink: #6b4a00; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #edeef0; --dim: #b0b4ba; --line: #363a3f; --panel: #212225; --paper: #18191b; --accent: #70b8ff; --warn: #3a2d0c; --warn-ink: #ffe0a0; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0 0; color: var(--dim); } code { font: .85em ui-monospace, monospace; overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .75rem; margin: 1.5rem 0 0; }
.facts div { background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .9rem; }
.facts dt { color: var(--dim); font-size: .8rem; } .facts dd { margin: 0; font-size: 1.15rem; font-weight: 600; }
.bar { height: .5rem; border-radius: .25rem; background: var(--line); margin-top: 1rem; overflow: hidden; } .bar i { display: block; height: 100%; background: var(--accent); }
.warning { background: var(--warn); color: var(--warn-ink); border-radius: .5rem; padding: .6rem .9rem; margin: .75rem 0 0; } .warning p { color: inherit; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--dim); font-size: .8rem; font-weight: 600; } .n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; } .kept { color: var(--dim); }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem; overflow-x: auto; font: .85em/1.45 ui-monospace, monospace; }
`;

type Html = ReturnType<typeof html>;

/** A report, on a file or a folder, as a page that needs nothing else. */
export async function reportPage(report: Report & Partial<FolderReport>, model: string): Promise<string> {
  const { source, output, tensors, layers, warnings, timing, recipe, variants = [] } = report;
  const changed = tensors.filter((t) => !WITHOUT_SCHEME.has(t.action));
  const made = variants.flatMap((variant) => variant.report ?? []);
  const share = percent(output.bytes, source.bytes);
  const one = made.length === new Set(variants.map((variant) => variant.model)).size; // else sizes do not compare
  const title = one ? `${model}: ${share} of its size` : `${model}: ${plural(made.length, "variant")}`;
  const facts: [string, string][] = [
    ["Before", size(source.bytes)],
    ["After", one ? `${size(output.bytes)} (${share})` : size(output.bytes)],
    ["Tensors compressed", `${changed.length} of ${tensors.length}`],
    ["Lowest SQNR", lowest(made.length > 0 ? made.flatMap((each) => each.tensors) : changed)],
    ["Time", seconds(timing.seconds)],
    ["Memory", size(timing.peak_memory_bytes)],
  ];
  const page = await html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<h1>${model}</h1>
<p>${source.format === "onnx" ? "ONNX" : source.format}${source.opset === undefined ? "" : `, opset ${source.opset}`} · ${actionsText(report)} · Edgeslim ${report.edgeslim}</p>
${warnings.map(warning)}
<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
${one ? html`<div class="bar" role="img" aria-label="${title}"><i style="width:${Math.min(100, (100 * output.bytes) / source.bytes).toFixed(2)}%"></i></div>` : ""}
${variants.length > 0 ? variantTable(variants) : ""}
<h2>Layers</h2>
<div class="scroll"><table>
<thead><tr><th>Layer</th><th>Operator</th><th class="n">Before</th><th class="n">After</th><th class="n">Share of the result</th></tr></thead>
<tbody>
${layers.slice(0, MAX_LAYERS).map((each) => layer(each, output.bytes))}</tbody>
</table></div>
${layers.length > MAX_LAYERS ? html`<p>The ${MAX_LAYERS} largest of ${layers.length}; all stand in the JSON report.</p>` : ""}
<h2>Tensors</h2>
<div class="scroll"><table>
<thead><tr><th>Name</th><th>Shape</th><th>Action</th><th class="n">Before</th><th class="n">After</th><th class="n">SQNR</th><th>Reason</th></tr></thead>
<tbody>
${bySize(tensors).map(row)}</tbody>
</table></div>
<h2>Recipe</h2>
<pre>${JSON.stringify(recipe, null, 2)}</pre>
<h2>Files</h2>
${[["Source", source.sha256] as const, [`Output, ${output.layout ?? output.format}`, output.sha256] as const].map(
  ([name, hash]) => html`<p>${name}: SHA-256 <code>${hash ?? "not known"}</code></p>`,
)}
</body>
</html>
`;
  return String(page);
}

const variantTable = (variants: readonly Variant[]): Html => html`<h2>Variants</h2>
<div class="scroll"><table>
<thead><tr><th>Scheme</th><th>Model</th><th>Files</th><th class="n">Before</th><th class="n">After</th><th class="n">SQNR</th></tr></thead>
<tbody>
${variants.map(variantRow)}</tbody>
</table></div>`;

const variantRow = ({ scheme, model, files, bytes, report, refused }: Variant): Html =>
  report
    ? html`<tr><td>${scheme ?? ""}</td><td><code>${model}</code></td><td><code>${files.join(", ")}</code></td><td class="n">${size(report.source.bytes)}</td><td class="n">${size(bytes)}</td><td class="n">${lowest(report.tensors)}</td></tr>
`
    : html`<tr class="kept"><td>${scheme ?? ""}</td><td><code>${model}</code></td><td colspan="4">refused: ${refused}</td></tr>
`;

/** Rows of the table of layers. */
const MAX_LAYERS = 100;

const layer = ({ name, op_type = "", bytes }: LayerReport, all: number): Html =>
  html`<tr><td><code>${name}</code></td><td>${op_type}</td><td class="n">${size(bytes[0])}</td><td class="n">${size(bytes[1])}</td><td class="n">${percent(bytes[1], all)}</td></tr>
`;

const bySize = (tensors: readonly TensorReport[]): TensorReport[] =>
  [...tensors].sort((a, b) => Number(a.action === "kept") - Number(b.action === "kept") || b.bytes[0] - a.bytes[0]);

function lowest(tensors: readonly TensorReport[]): string {
  const known = tensors.flatMap(({ sqnr_db }) => (sqnr_db === undefined ? [] : [sqnr_db]));
  return known.length > 0 ? `${known.reduce((a, b) => Math.min(a, b)).toFixed(1)} dB` : "exact";
}

const row = ({ file, name, shape, action, actions: each, bytes, sqnr_db, reason }: TensorReport): Html =>
  html`<tr${raw(action === "kept" ? ' class="kept"' : "")}><td><code>${file === undefined ? "" : `${file}: `}${name}</code></td><td>${shape.join("×") || "scalar"}</td><td>${each?.join(", ") ?? action}</td><td class="n">${size(bytes[0])}</td><td class="n">${size(bytes[1])}</td><td class="n">${sqnr_db === undefined ? "" : `${sqnr_db.toFixed(1)} dB`}</td><td>${reason ?? ""}</td></tr>
`;

function warning({ code, message, tensors, nodes, files }: Warning): Html {
  const names = [...(files ?? []), ...(tensors ?? []), ...(nodes ?? [])];
  return html`<div class="warning" role="note"><strong>${message}</strong> <code>${code}</code>${names.length > 0 ? html`<p>${names.join(", ")}</p>` : ""}</div>`;
}
