import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { KeelsonError } from '@keelson/core';
import type { RequestHandler } from 'express';

/** The charsets of JSON; the parser accepts more names that start with UTF. */
const charset = /^utf-?(8|16|16le|16be|32|32le|32be)$/;
/** Error codes of Node's zlib, for each of its formats. */
const codeOfUnpacking = /^(Z_|ZSTD_|ERR_+(PADDING|BROTLI|ZSTD|ZLIB))|BROTLI/;

/** Given to the parser as `verify`: it would read any bytes as text, and put a replacement in the place of what is none. */
export function verifyText(
  _request: IncomingMessage,
  _response: ServerResponse,
  bytes: Buffer,
  encoding: string,
): void {
  if (!charset.test(encoding)) throw new Unreadable('charset.unsupported');
  if (encoding === 'utf-8' && !isUtf8(bytes)) throw new Unreadable('text.invalid');
}

/** `parse`, with its refusals in our words: they are known to be of the body, because they come from there. */
export function jsonBody(parse: RequestHandler): RequestHandler {
  return (request, response, next) =>
    parse(request, response, error => {
      if (error !== undefined) next(bodyFailure(error) ?? unpackable(error));
      else if (isWellFormed(request.body)) next();
      else next(malformed('A text in the body holds one half of a character (a surrogate alone).'));
    });
}

/** The client has disconnected, so no answer can be read. */
export function clientGone(cause: unknown): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_CLIENT_GONE',
    message: 'The client disconnected before its answer.',
    cause,
  });
}

/** An error in the form of the parser's own. */
class Unreadable extends Error {
  readonly type: string;

  constructor(type: string) {
    super(type);
    this.type = type;
  }
}

/** Translates an error of an Express body parser by its `type`, never by its message. */
export function bodyFailure(error: unknown): KeelsonError | undefined {
  if (!(error instanceof Error)) return undefined;
  const { type, limit, code } = error as { type?: unknown; limit?: unknown; code?: unknown };
  switch (type) {
    case 'request.aborted':
      return clientGone(error);
    case 'entity.too.large':
      return tooLarge(error, limit);
    case 'charset.unsupported':
    case 'encoding.unsupported':
      return unsupported(error);
    case 'entity.parse.failed':
      return malformed('The body is not a valid JSON object or array.', error);
    case 'request.size.invalid':
      return malformed('The body has another length than Content-Length says.', error);
    case 'text.invalid':
      return malformed('The body is not valid UTF-8.');
  }
  return typeof code === 'string' && codeOfUnpacking.test(code) ? unpackable(error) : undefined;
}

function unpackable(cause: unknown): KeelsonError {
  return malformed('The body cannot be unpacked: it is not what Content-Encoding says, or a part is missing.', cause);
}

/** Every text in `body` can be written as UTF-8. Without recursion: a body may be as deep as the parser allows. */
function isWellFormed(body: unknown): boolean {
  const left = [body];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value === 'string') {
      if (!value.isWellFormed()) return false;
    } else if (Array.isArray(value)) {
      for (const item of value) left.push(item);
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, item] of Object.entries(value)) left.push(key, item);
    }
  }
  return true;
}

function malformed(detail: string, cause?: unknown): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_BODY_MALFORMED',
    message: 'The body of a request cannot be read as JSON.',
    cause,
    http: { status: 400, title: 'Malformed body', detail },
  });
}

function tooLarge(cause: unknown, limit: unknown): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_BODY_TOO_LARGE',
    message: `The body of a request is larger than ${limit} bytes.`,
    hint: 'Raise bodyLimitBytes of the http plugin to accept such bodies.',
    facts: { limitBytes: limit },
    cause,
    http: { status: 413, title: 'Body too large', detail: `The body is larger than ${limit} bytes.` },
  });
}

function unsupported(cause?: unknown): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_BODY_UNSUPPORTED',
    message: 'The body of a request has an unsupported charset or encoding.',
    cause,
    http: {
      status: 415,
      title: 'Unsupported body',
      detail: 'Send JSON in UTF-8, uncompressed or compressed with gzip, deflate or br.',
    },
  });
}
