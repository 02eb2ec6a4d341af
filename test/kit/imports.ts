/** Which file of src/ may import which: a floor imports from itself and from those below it. */
import { posix } from "node:path";

/** From the bottom. Rooms that share a floor do not import each other. */
const FLOORS: readonly (readonly string[])[] = [
  ["errors.ts", "tensor.ts", "version.ts"],
  ["encoding.ts"],
  ["io/"],
  ["payload.ts", "kernels/"],
  ["graph/"],
  ["ops/"],
  ["formats/", "quantize/", "prune/", "optimize/"],
  ["runtime/"],
  ["engine/"],
  ["index.ts", "index.workerd.ts", "public.ts"],
  ["server/"],
  ["store/"], // implements the ports that the server names
  ["cli/", "worker.ts", "serve.ts"],
];
/** Files at the bottom stand beside each other, the module entries share `public.ts`, and doors may open doors. */
const NEIGHBOURS = new Set(["tensor.ts > errors.ts", "index.ts > public.ts", "index.workerd.ts > public.ts", "cli/ > serve.ts"]);
/** Lower files that an upper floor may not reach past its own. */
const FORBIDDEN: Record<string, readonly string[]> = {
  "io/": ["encoding.ts", "version.ts"],
  "kernels/": ["encoding.ts", "io/", "version.ts"],
  "ops/": ["encoding.ts", "version.ts", "io/", "payload.ts", "kernels/"],
};
/** The highest floor that runs in every runtime: it and those below import nothing of one platform. */
const PORTABLE = FLOORS.findIndex((rooms) => rooms.includes("public.ts"));
/** The one place below the doors that knows files; only doors and stores import it. */
const FILES = "io/file.ts";

export interface Import {
  specifier: string;
  dynamic: boolean;
}

/** The imports and re-exports of a module; types count, since they too say who knows whom. */
export function importsOf(source: string): Import[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");
  const found = (pattern: RegExp, dynamic: boolean): Import[] =>
    [...code.matchAll(pattern)].map(([, specifier = ""]) => ({ specifier, dynamic }));
  return [...found(/^\s*(?:import|export)\s(?:[^"';]*?\sfrom\s)?\s*"([^"]+)"/gm, false), ...found(/\bimport\(\s*"([^"]+)"\s*\)/g, true)];
}

const roomOf = (file: string): string => (file.includes("/") ? file.slice(0, file.indexOf("/") + 1) : file);
const floorOf = (room: string): number => FLOORS.findIndex((rooms) => rooms.includes(room));

/** What is wrong with the imports of `file` (its path within src/), in sentences. */
export function violations(file: string, source: string): string[] {
  const room = roomOf(file);
  const floor = floorOf(room);
  if (floor < 0) return [`src/${file} is in no room that test/kit/imports.ts knows; give it a floor there`];
  const wrong: string[] = [];
  for (const { specifier, dynamic } of importsOf(source)) {
    if (specifier.startsWith("node:") && !dynamic && floor <= PORTABLE && file !== FILES)
      wrong.push(`src/${file} imports ${specifier}: the engine runs without it`);
    if (file === "server/app.ts" && /^(node|cloudflare|bun):|^@hono\/node-server/.test(specifier))
      wrong.push(`src/${file} imports ${specifier}: the server knows no platform`);
    if (!specifier.startsWith(".") || specifier.endsWith(".wasm")) continue;
    const target = posix.normalize(posix.join(posix.dirname(file), specifier));
    const to = roomOf(target);
    if (target === FILES && floor <= PORTABLE) wrong.push(`src/${file} imports src/${FILES}, which is for doors that have files`);
    if (to === room || NEIGHBOURS.has(`${room} > ${to}`)) continue;
    if (floorOf(to) < 0) wrong.push(`src/${file} imports ${specifier}, which is in no room of src/`);
    else if (floorOf(to) >= floor)
      wrong.push(`src/${file} imports src/${target}, which is ${floorOf(to) > floor ? "above it" : "another room of its floor"}`);
    else if (FORBIDDEN[room]?.includes(to)) wrong.push(`src/${file} imports src/${target}, which is not for ${room}`);
  }
  return wrong;
}
