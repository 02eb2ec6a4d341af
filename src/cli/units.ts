/** Bytes in decimal units: `10.9 MB`. */
export function size(bytes: number): string {
  let value = bytes;
  let unit = "B";
  for (const larger of ["kB", "MB", "GB", "TB"]) {
    if (value < 999.5) break;
    value /= 1000;
    unit = larger;
  }
  return `${unit === "B" || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${unit}`;
}

export const percent = (part: number, whole: number): string => (whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : "–");

export const seconds = (value: number): string => (value < 10 ? `${value.toFixed(value < 0.1 ? 2 : 1)} s` : `${Math.round(value)} s`);

export const plural = (n: number, word: string): string => `${n} ${word}${n === 1 ? "" : "s"}`;

/** Counts with an SI suffix: `5.3 M`. */
export function count(n: number): string {
  if (n < 1e4) return String(n);
  const [divisor, suffix] = n < 1e6 ? [1e3, "k"] : n < 1e9 ? [1e6, "M"] : [1e9, "G"];
  return `${(n / divisor).toFixed(1)} ${suffix}`;
}

/** A number in few figures: `-0.03142`, `1.5e-7`, `224`. */
export const number = (x: number): string => (Number.isInteger(x) && Math.abs(x) < 1e9 ? String(x) : String(Number(x.toPrecision(4))));

/** Milliseconds: `4.51 ms`. */
export const milliseconds = (value: number): string =>
  value < 0.1
    ? `${Number((value * 1000).toPrecision(2))} µs`
    : `${value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : Math.round(value)} ms`;

/** A list that names the first few and counts the rest. */
export function some(names: readonly string[], shown = 3): string {
  const rest = names.length - shown;
  return rest > 0 ? `${names.slice(0, shown).join(", ")} and ${rest} more` : names.join(", ");
}

const ESCAPES: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * A line for a terminal: names come from models and folders that strangers made, and their control characters (C0, DEL, C1) would move
 * the cursor, recolour or break the line. Shown as `\n`, `\x1b`.
 */
export const printable = (line: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped
  line.replace(/[\u0000-\u001f\u007f-\u009f]/g, (char) => ESCAPES[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
