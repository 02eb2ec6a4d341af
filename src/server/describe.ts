/** Words that openapi.json is put together from. */
import { type Json, ref, text } from "./schemas.ts";

export const json = (schema: Json, description: string, type = "application/json"): Json => ({
  description,
  content: { [type]: { schema } },
});
export const binary = (description: string, headers: Json = {}): Json => ({
  description,
  headers,
  content: { "application/octet-stream": {} },
});
export const header = (description: string): Json => ({ description, schema: text });
export const inQuery = (name: string, schema: Json, description: string): Json => ({ name, in: "query", schema, description });
export const inPath = (name: string, schema: Json, description: string): Json => ({
  name,
  in: "path",
  required: true,
  schema,
  description,
});

const problem = (description: string): Json => json(ref("Problem"), description, "application/problem+json");
export const problems = (...statuses: (keyof typeof PROBLEMS)[]): Json =>
  Object.fromEntries(statuses.map((status) => [status, problem(PROBLEMS[status])]));

const PROBLEMS = {
  400: "The bytes break their format (`offset` tells where), or the recipe or query its schema.",
  404: "There is no such thing, or no store.",
  408: "The client neither sent nor took bytes for STALL_SECONDS.",
  409: "The request conflicts with what is stored.",
  412: "A precondition (If-Match, If-None-Match) does not hold.",
  413: "Over a limit: `limit` names it, `detail` tells what to do instead.",
  415: "The body is empty, or its leading bytes match no format.",
  416: "The range lies outside the file.",
  422: "Valid, but it cannot be done: `tensor` or `node` and `detail` tell which and why.",
  503: "Busy; Retry-After tells when to ask again.",
};

export const NAME = inPath("NAME", { type: "string", pattern: "^[A-Za-z0-9._-]+$" }, "One segment.");
export const FILE = inPath("FILE", text, "May hold slashes.");
export const model = { content: { "application/octet-stream": { schema: { type: "string", format: "binary" } } } };
