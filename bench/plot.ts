/** A plot as SVG: curves over logarithmic axes, each named at its end. */

export interface Curve {
  name: string;
  /** A bound, which is drawn dashed. */
  isBound?: boolean;
  points: readonly (readonly [x: number, y: number])[];
}

export interface Plot {
  title: string;
  x: string;
  y: string;
  curves: readonly Curve[];
}

const [WIDTH, HEIGHT] = [760, 460];
const EDGE = { left: 72, right: 170, top: 48, bottom: 60 };
const COLORS = ["#0b6e4f", "#c2410c", "#1d4ed8", "#6b21a8"];
const BOUND = "#6b7280";
/** Between the names of curves that end near each other. */
const LINE = 16;

/** From 1, 2 and 5 times powers of ten: the least and the greatest that hold the values, and those between. */
function ticksOf(values: readonly number[]): number[] {
  const all = Array.from({ length: 24 }, (_, i) => i - 12).flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const first = all.findLastIndex((tick) => tick <= low);
  const last = all.findIndex((tick) => tick >= high);
  return all.slice(first, last + 1).map((tick) => Number(tick.toPrecision(1)));
}

const place =
  (low: number, high: number, from: number, to: number) =>
  (value: number): number =>
    from + ((to - from) * Math.log(value / low)) / Math.log(high / low);

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function text(x: number, y: number, content: string, attributes = ""): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped(content)}</text>`;
}

/** The document. All values must be positive; the ticks of x are those of the first curve's points. */
export function plot({ title, x, y, curves }: Plot): string {
  const points = curves.flatMap((curve) => curve.points);
  if (points.length === 0 || points.some(([a, b]) => !(a > 0 && b > 0)))
    throw new RangeError(`Cannot plot '${title}': expected points greater than 0, since the axes are logarithmic`);
  const [right, bottom] = [WIDTH - EDGE.right, HEIGHT - EDGE.bottom];
  const xs = points.map(([a]) => a);
  const ticks = ticksOf(points.map(([, b]) => b));
  const atX = place(Math.min(...xs), Math.max(...xs), EDGE.left, right);
  const atY = place(ticks[0]!, ticks.at(-1)!, bottom, EDGE.top);
  const grid = [
    ...curves[0]!.points.map(([a]) =>
      [
        `<line x1="${atX(a).toFixed(1)}" x2="${atX(a).toFixed(1)}" y1="${EDGE.top}" y2="${bottom}" stroke="#e5e7eb"/>`,
        text(atX(a), bottom + 20, String(a), 'text-anchor="middle"'),
      ].join(""),
    ),
    ...ticks.map((tick) =>
      [
        `<line x1="${EDGE.left}" x2="${right}" y1="${atY(tick).toFixed(1)}" y2="${atY(tick).toFixed(1)}" stroke="#e5e7eb"/>`,
        text(EDGE.left - 8, atY(tick) + 4, String(tick), 'text-anchor="end"'),
      ].join(""),
    ),
  ];
  let above = Number.NEGATIVE_INFINITY;
  const ends = curves
    .map((curve, i) => ({ curve, color: curve.isBound ? BOUND : COLORS[i % COLORS.length], end: atY(curve.points.at(-1)![1]) }))
    .sort((a, b) => a.end - b.end);
  const drawn = ends.map(({ curve: { name, isBound, points }, color, end }) => {
    above = Math.max(end, above + LINE);
    const path = points.map(([a, b]) => `${atX(a).toFixed(1)},${atY(b).toFixed(1)}`);
    const dots = isBound
      ? []
      : path.map((each) => `<circle cx="${each.split(",")[0]}" cy="${each.split(",")[1]}" r="3.5" fill="${color}"/>`);
    return [
      `<polyline points="${path.join(" ")}" fill="none" stroke="${color}" stroke-width="2"${isBound ? ' stroke-dasharray="6 5"' : ""}/>`,
      ...dots,
      text(right + 10, above + 4, name, `fill="${color}"`),
    ].join("");
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="13" fill="#374151">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(EDGE.left, 28, title, 'font-size="16" fill="#111827"'),
    ...grid,
    ...drawn,
    text((EDGE.left + right) / 2, HEIGHT - 16, x, 'text-anchor="middle"'),
    text(0, 0, y, `text-anchor="middle" transform="translate(18 ${(EDGE.top + bottom) / 2}) rotate(-90)"`),
    "</svg>",
    "",
  ].join("\n");
}
