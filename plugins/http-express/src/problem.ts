import { isKeelsonError, KeelsonError, type ProblemDocument } from '@keelson/core';

/** An answer in the form of RFC 9457. */
export interface Problem {
  readonly code: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Everything that is not an answer on purpose: 500, and not a word more. */
const unexpected: { code: string; http: ProblemDocument } = {
  code: 'HTTP_UNEXPECTED',
  http: { status: 500, title: 'Internal Server Error' },
};

/** What `failure` tells a client; of one that was not made to be told, only that it happened. */
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

/** `error` as one of ours: as it is, as what the parts under this server mean by it, or as unexpected. */
export function failureOf(error: unknown): KeelsonError {
  if (isKeelsonError(error)) return error;
  return requestFailure(error) ?? new KeelsonError({ ...unexpected, message: 'A handler failed.', cause: error });
}

/** What the body parser and the router of Express say, told by their `type` and `status`, never by their messages. */
function requestFailure(error: unknown): KeelsonError | undefined {
  if (error instanceof URIError) return malformedPath(error);
  if (!(error instanceof Error)) return undefined;
  const { type, status, expose, limit } = error as {
    type?: unknown;
    status?: unknown;
    expose?: unknown;
    limit?: unknown;
  };
  switch (type) {
    case 'entity.parse.failed':
      return malformedBody(error);
    case 'entity.too.large':
      return tooLargeBody(error, limit);
    case 'charset.unsupported':
    case 'encoding.unsupported':
      return unsupportedBody(error);
  }
  // An error of http-errors that was made to be shown: the habit of Express middleware.
  if (expose !== true || typeof status !== 'number' || status < 400 || status > 499) return undefined;
  return refusedRequest(error, status);
}

function malformedPath(cause: unknown): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_PATH_MALFORMED',
    message: 'The path of a request could not be decoded.',
    cause,
    http: { status: 400, title: 'Malformed path', detail: 'The path holds a percent sign that begins no character.' },
  });
}

function malformedBody(cause: unknown): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_BODY_MALFORMED',
    message: 'The body of a request is not valid JSON.',
    cause,
    http: { status: 400, title: 'Malformed body', detail: 'The body is not a valid JSON object or array.' },
  });
}

function tooLargeBody(cause: unknown, limit: unknown): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_BODY_TOO_LARGE',
    message: `The body of a request is larger than ${limit} bytes.`,
    hint: 'Raise bodyLimitBytes of the http plugin if such bodies are wanted.',
    facts: { limitBytes: limit },
    cause,
    http: { status: 413, title: 'Body too large', detail: `The body is larger than ${limit} bytes.` },
  });
}

function unsupportedBody(cause: unknown): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_BODY_UNSUPPORTED',
    message: 'The body of a request has a charset or an encoding that is not read.',
    cause,
    http: {
      status: 415,
      title: 'Unsupported body',
      detail: 'Send JSON in UTF-8, uncompressed or compressed with gzip, deflate or br.',
    },
  });
}

function refusedRequest(cause: Error, status: number): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_REQUEST_REFUSED',
    message: `A middleware refused a request with ${status}.`,
    cause,
    http: { status, title: 'Request refused', detail: cause.message },
  });
}
