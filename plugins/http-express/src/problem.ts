import { isKeelsonError, KeelsonError, type ProblemDocument } from '@keelson/core';
import { bodyFailure } from './json-body.js';
import { malformedPath } from './request-syntax.js';

/** An answer in the form of RFC 9457. */
export interface Problem {
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

/** The problem document of `failure`; an error that is not for clients becomes a 500 without details. */
export function problemOf(failure: KeelsonError, requestId: string): Problem {
  const { code, http } = isAnswer(failure) ? failure : unexpected;
  const document = {
    type: `urn:keelson:problem:${code}`,
    title: http.title,
    status: http.status,
    ...(http.detail === undefined ? {} : { detail: http.detail }),
    instance: `urn:keelson:request:${requestId}`,
    ...(http.errors === undefined ? {} : { errors: http.errors }),
  };
  return { code, status: http.status, headers: headersOf(http), body: JSON.stringify(document) };
}

function headersOf(http: ProblemDocument): Record<string, string> {
  return {
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(http.retryAfterMs === undefined ? {} : { 'Retry-After': String(Math.ceil(http.retryAfterMs / 1_000)) }),
  };
}

function isAnswer(failure: KeelsonError): failure is KeelsonError & { readonly http: ProblemDocument } {
  const status = failure.http?.status;
  return status !== undefined && Number.isInteger(status) && status >= 400 && status <= 599;
}

/** Returns `error` as a KeelsonError: itself, the translation of an error of Express, or an unexpected error. */
export function failureOf(error: unknown): KeelsonError {
  if (isKeelsonError(error)) return error;
  return requestFailure(error) ?? new KeelsonError({ ...unexpected, message: 'A handler failed.', cause: error });
}

/** Translates errors of body parsers and the router of Express by `type` and `status`, never by their messages. */
function requestFailure(error: unknown): KeelsonError | undefined {
  if (error instanceof URIError) return malformedPath(error);
  const failure = bodyFailure(error);
  if (failure !== undefined || !(error instanceof Error)) return failure;
  const { status, expose } = error as { status?: unknown; expose?: unknown };
  // An exposed error of http-errors, as Express middleware throws it.
  if (expose !== true || typeof status !== 'number' || status < 400 || status > 499) return undefined;
  return refusedRequest(error, status);
}

function refusedRequest(cause: Error, status: number): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_REQUEST_REFUSED',
    message: `A middleware refused a request with ${status}.`,
    cause,
    http: { status, title: 'Request refused', detail: cause.message },
  });
}
