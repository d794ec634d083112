const brand = Symbol.for('@keelson/core/KeelsonError');

/** The RFC 9457 members that a caller over HTTP may see; no internal detail. */
export interface ProblemDocument {
  /** The HTTP status, 400 to 599. */
  readonly status: number;
  /** A short phrase that is the same for every occurrence. */
  readonly title: string;
  /** One sentence about this occurrence that a user may read. */
  readonly detail?: string;
  /** One entry for each wrong field. */
  readonly errors?: readonly FieldProblem[];
  /** When trying again may help, in milliseconds from now; sent as `Retry-After` in seconds. */
  readonly retryAfterMs?: number;
}

/** A problem in one field of the input. `path` is a JSON Pointer (RFC 6901), `''` for the whole. */
export interface FieldProblem {
  readonly path: string;
  readonly message: string;
  /** The part of an HTTP request that `path` is in; left out for the body. */
  readonly in?: 'path' | 'query' | 'header';
}

/** Numbers, names and places that explain an error. Never a secret, SQL text or a user's value. */
export type Facts = Readonly<Record<string, unknown>>;

export interface KeelsonErrorOptions {
  /** For machines and documentation: `AREA_WHAT_HAPPENED`. Every code has a section in docs/errors.md. */
  readonly code: string;
  /** One sentence for the person on call. */
  readonly message: string;
  /** What to do next. */
  readonly hint?: string;
  readonly facts?: Facts;
  readonly cause?: unknown;
  /** The answer to an HTTP caller; when absent, the answer is 500 without details. */
  readonly http?: ProblemDocument;
}

/**
 * The base of every error Keelson throws on purpose: a code, a sentence, facts, what to do next and the cause.
 *
 * Recognise it with `isKeelsonError`, never with `instanceof`: two copies of this package may be installed.
 */
export class KeelsonError extends Error {
  readonly [brand] = true;
  readonly code: string;
  readonly hint: string | undefined;
  readonly facts: Facts;
  readonly http: ProblemDocument | undefined;

  constructor(options: KeelsonErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = options.code;
    this.hint = options.hint;
    this.facts = options.facts ?? {};
    this.http = options.http;
  }

  /** Code, sentence, hint and facts; neither the stack nor the cause. */
  toJSON(): { code: string; message: string; hint?: string; facts: Facts } {
    const { code, message, hint, facts } = this;
    return hint === undefined ? { code, message, facts } : { code, message, hint, facts };
  }
}

/** Returns true for an error of any copy of this package; with `code`, only for that code. Never throws. */
export function isKeelsonError(error: unknown, code?: string): error is KeelsonError {
  if (typeof error !== 'object' || error === null) return false;
  try {
    return brand in error && (code === undefined || (error as KeelsonError).code === code);
  } catch {
    // A Proxy that was revoked, as some libraries leave them, throws for every question.
    return false;
  }
}
