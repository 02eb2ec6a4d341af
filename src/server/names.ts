import { HttpProblem } from "./problem.ts";

/** Longest NAME; a file system's own limit is 255 for a segment. */
const MAX_NAME = 128;
/** Longest FILE in bytes: with NAME and prefix it stays below the 1024 of an R2 key. */
const MAX_FILE_BYTES = 768;
const MAX_SEGMENT_BYTES = 255;

const NAME = /^[A-Za-z0-9._-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const FORBIDDEN = /[\u0000-\u001f\u007f\\/]/;

const bytes = (text: string): number => new TextEncoder().encode(text).byteLength;

/** Checks a NAME: one segment of `[A-Za-z0-9._-]`. */
export function checkName(name: string, what = "NAME"): string {
  if (NAME.test(name) && name !== "." && name !== ".." && name.length <= MAX_NAME) return name;
  throw new HttpProblem(400, `${what} must be one segment of 1 to ${MAX_NAME} of the characters A-Z a-z 0-9 . _ -, not '${shown(name)}'`);
}

/** Checks the segments of a FILE and joins them. */
export function checkFile(segments: readonly string[]): string {
  for (const segment of segments) {
    if (segment === "" || segment === "." || segment === "..") throw refused(segments, "has an empty, '.' or '..' segment");
    if (FORBIDDEN.test(segment)) throw refused(segments, "has a slash, backslash or control character within a segment");
    if (!segment.isWellFormed() || bytes(segment) > MAX_SEGMENT_BYTES)
      throw refused(segments, `has a segment of more than ${MAX_SEGMENT_BYTES} bytes`);
  }
  const file = segments.join("/");
  if (bytes(file) > MAX_FILE_BYTES) throw refused(segments, `is longer than ${MAX_FILE_BYTES} bytes`);
  return file;
}

const refused = (segments: readonly string[], why: string): HttpProblem =>
  new HttpProblem(400, `FILE ${why}: '${shown(segments.join("/"))}'`);

const shown = (text: string): string => JSON.stringify(text.slice(0, 100)).slice(1, -1);

/** The decoded segments of a URL's path after `skip` of them. */
export function pathSegments(url: string, skip: number): string[] {
  const { pathname } = new URL(url);
  try {
    return pathname
      .split("/")
      .slice(1 + skip)
      .map(decodeURIComponent);
  } catch {
    throw new HttpProblem(400, "The path has a malformed percent-encoding");
  }
}
