import type { Context } from "hono";
import { FormatError, LimitError, type Place, UnsupportedError } from "../errors.ts";

/** Phrases of the statuses that are answered here (RFC 9110, 15). */
const TITLES = {
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  412: "Precondition Failed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  422: "Unprocessable Content",
  500: "Internal Server Error",
  503: "Service Unavailable",
} as const;

export type ProblemStatus = keyof typeof TITLES;

/** RFC 9457, with what else is known as extension members. */
export interface Problem extends Place {
  type: string;
  title: string;
  status: ProblemStatus;
  detail: string;
  /** The named limit that was met. */
  limit?: string;
}

/** An answer that is a problem, thrown by routes. */
export class HttpProblem extends Error {
  override readonly name = "HttpProblem";
  readonly status: ProblemStatus;
  readonly headers: Record<string, string>;
  constructor(status: ProblemStatus, detail: string, headers: Record<string, string> = {}) {
    super(detail);
    this.status = status;
    this.headers = headers;
  }
}

/** Drops a run: the client took or gave nothing for too long. */
export class StallError extends HttpProblem {
  constructor(seconds: number) {
    super(408, `The client neither sent nor took bytes for ${seconds} seconds [STALL_SECONDS], so the run was dropped`);
  }
}

/** What a run ends with whose client does not wait for it. Nobody reads this but who asks for the report. */
export class GoneError extends HttpProblem {
  constructor() {
    super(400, "The client closed the connection before the end");
  }
}

const problem = (status: ProblemStatus, detail: string, more: Place & { limit?: string } = {}): Problem => ({
  type: "about:blank",
  title: TITLES[status],
  status,
  detail,
  ...more,
});

/** What a client is told of an error. What is not about its request stays inside: those are 500. */
export function problemOf(error: unknown): Problem {
  if (error instanceof FormatError) return problem(error.format === undefined ? 415 : 400, error.message, error.place);
  if (error instanceof UnsupportedError) return problem(422, error.message, error.place);
  if (error instanceof LimitError) return problem(413, error.message, { limit: error.limit, ...error.place });
  if (error instanceof HttpProblem) return problem(error.status, error.message);
  return problem(500, "The server failed; the request may be right");
}

/** The answer to an error. */
export function problemResponse(c: Context, error: unknown): Response {
  const problem = problemOf(error);
  // The Open Inference Protocol wants the message under this name.
  const document = new URL(c.req.url).pathname.startsWith("/v2") ? { ...problem, error: problem.detail } : problem;
  const headers = error instanceof HttpProblem ? error.headers : {};
  return c.body(JSON.stringify(document), document.status, {
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    ...headers,
  });
}
