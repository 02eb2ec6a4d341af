/** What a Range header asks of an object of `size` bytes: part of it, something outside it, or (undefined) all. */
export type ByteRange = { offset: number; length: number } | "unsatisfiable" | undefined;

/** Reads one `bytes` range, suffix ranges included. Several ranges, other units and broken syntax mean all (RFC 9110, 14.2). */
export function parseRange(header: string | undefined, size: number): ByteRange {
  const match = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header ?? "");
  if (!match) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return undefined;
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { offset: size - length, length };
  }
  const offset = Number(first);
  if (last !== "" && Number(last) < offset) return undefined;
  if (offset >= size) return "unsatisfiable";
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  return { offset, length: end - offset + 1 };
}

/** Whether a list of entity tags (`*` included) holds one; with `weak`, by weak comparison. */
export function hasTag(header: string, etag: string, weak: boolean): boolean {
  if (header.trim() === "*") return true;
  return (header.match(/(W\/)?"[^"]*"/g) ?? []).some((tag) => tag === etag || (weak && tag === `W/${etag}`));
}
