import { type FieldProblem, isKeelsonError, KeelsonError, type ProblemDocument } from '@keelson/core';
import { bodyFailure } from './json-body.js';
import { http } from './node-http.js';
import type { ProblemOverride } from './options.js';
import { malformedPath } from './request-syntax.js';

/** What a deployment says about problems. */
export interface ProblemSettings {
  readonly typeBase: string;
  /** By code, or by the kind of a database error. */
  readonly overrides: Readonly<Record<string, ProblemOverride>>;
}

/** An answer in the form of RFC 9457. */
export interface ProblemAnswer {
  readonly code: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Every error that is not an intended answer: 500, without details. */
const unexpected: { code: string; http: ProblemDocument } = {
  code: 'HTTP_UNEXPECTED',
  http: { status: 500, title: 'Internal Server Error' },
};

/**
 * The problem document of `failure`; an error that is not for clients becomes a 500 without details. A client that accepts
 * text and no JSON gets text.
 */
export function problemOf(
  failure: KeelsonError,
  { typeBase, overrides }: ProblemSettings,
  { requestId, accept }: { readonly requestId: string; readonly accept?: string | undefined },
): ProblemAnswer {
  const { code, http } = overridden(isAnswer(failure) ? failure : unexpected, failure, overrides);
  const document = {
    type: typeOf(typeBase, code),
    title: http.title,
    status: http.status,
    ...(http.detail === undefined ? {} : { detail: http.detail }),
    instance: `urn:keelson:request:${requestId}`,
    ...(http.errors === undefined ? {} : { errors: http.errors }),
  };
  const asText = prefersText(accept);
  const headers = headersOf(http, asText ? 'text/plain; charset=utf-8' : 'application/problem+json');
  return { code, status: http.status, headers, body: asText ? textOf(document, code) : JSON.stringify(document) };
}

/** Anchors of a page in Markdown are small. */
function typeOf(base: string, code: string): string {
  return base.includes('{anchor}') ? base.replaceAll('{anchor}', code.toLowerCase()) : `${base}${code}`;
}

interface Answer {
  readonly code: string;
  readonly http: ProblemDocument;
}

function overridden(answer: Answer, { facts }: KeelsonError, overrides: ProblemSettings['overrides']): Answer {
  const { kind } = facts;
  const override = overrides[answer.code] ?? (typeof kind === 'string' ? overrides[kind] : undefined);
  if (override === undefined) return answer;
  const { status, title = http.STATUS_CODES[status] ?? answer.http.title, detail } = override;
  return { code: answer.code, http: { ...answer.http, status, title, ...(detail !== undefined && { detail }) } };
}

/** As a person at a terminal asks for it: `curl -H 'Accept: text/plain'`. */
function prefersText(accept: string | undefined): boolean {
  return accept !== undefined && /\btext\/(plain|\*)/i.test(accept) && !/json|\*\/\*/i.test(accept);
}

interface Document {
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly instance: string;
  readonly errors?: readonly FieldProblem[];
}

function textOf({ title, status, detail, instance, errors = [] }: Document, code: string): string {
  const fields = errors.map(({ in: part = 'body', path, message }) => `- ${part} ${path}: ${message}`);
  return [`${status} ${title}`, ...(detail === undefined ? [] : [detail]), ...fields, `${code} ${instance}`, ''].join(
    '\n',
  );
}

function headersOf(http: ProblemDocument, type: string): Record<string, string> {
  return {
    'Content-Type': type,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(http.retryAfterMs === undefined ? {} : { 'Retry-After': String(Math.ceil(http.retryAfterMs / 1_000)) }),
  };
}

function isAnswer(failure: KeelsonError): failure is KeelsonError & { readonly http: ProblemDocument } {
  const status = failure.http?.status;
  return status !== undefined && Number.isInteger(status) && status >= 400 && status <= 599;
}

/** Returns `error` as a KeelsonError: itself, the translation of an error of middleware, or an unexpected error. */
export function failureOf(error: unknown): KeelsonError {
  if (isKeelsonError(error)) return error;
  return requestFailure(error) ?? new KeelsonError({ ...unexpected, message: 'A handler failed.', cause: error });
}

/** Translates errors of body parsers, routers and middleware by `type` and `status`, never by their messages. */
function requestFailure(error: unknown): KeelsonError | undefined {
  if (error instanceof URIError) return malformedPath(error);
  const failure = bodyFailure(error);
  if (failure !== undefined || !(error instanceof Error)) return failure;
  if (isLostVersion(error)) return versionConflict(error);
  const { status, expose } = error as { status?: unknown; expose?: unknown };
  // An exposed error of http-errors, as Express middleware throws it.
  if (expose !== true || typeof status !== 'number' || status < 400 || status > 499) return undefined;
  return refusedRequest(error, status);
}

/** MikroORM's, of a row whose version has changed; not that of an entity that has no version. */
function isLostVersion({ name, message }: Error): boolean {
  return name === 'OptimisticLockError' && !message.startsWith('Cannot obtain');
}

function versionConflict(cause: Error): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_VERSION_CONFLICT',
    message: 'A row was changed by another request: its version is not the expected one.',
    hint: 'Nothing was stored. Let the client read the row again and repeat its change.',
    cause,
    http: {
      status: 409,
      title: 'Conflict',
      detail: 'Another request has changed this since it was read. Please read it again, then repeat the change.',
    },
  });
}

export function refusedRequest(cause: Error, status: number): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_REQUEST_REFUSED',
    message: `A middleware refused a request with ${status}.`,
    cause,
    http: { status, title: 'Request refused', detail: cause.message },
  });
}
