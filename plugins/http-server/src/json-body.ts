import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { KeelsonError } from '@keelson/core';
import bodyParser from 'body-parser';
import typeis from 'type-is';
import type { Step } from './step.js';

/** The charsets of JSON; the parser accepts more names that start with UTF. */
const charset = /^utf-?(8|16|16le|16be|32|32le|32be)$/;
/** Error codes of Node's zlib, for each of its formats. */
const codeOfUnpacking = /^(Z_|ZSTD_|ERR_+(PADDING|BROTLI|ZSTD|ZLIB))|BROTLI/;

/** Given to the parser as `verify`: it would read any bytes as text, and put a replacement in the place of what is none. */
function verifyText(_request: IncomingMessage, _response: ServerResponse, bytes: Buffer, encoding: string): void {
  if (!charset.test(encoding)) throw new Unreadable('charset.unsupported');
  if (encoding === 'utf-8' && !isUtf8(bytes)) throw new Unreadable('text.invalid');
}

export interface JsonBodyOptions {
  readonly limitBytes: number;
  readonly maxDepth: number;
  /** The media types that are parsed. */
  readonly types: string[];
}

interface ReadRequest extends IncomingMessage {
  body?: unknown;
}

/** Reads the body as JSON. The refusals of the parser are in our words: they are known to be of the body, because they come from there. */
export function jsonBody(options: JsonBodyOptions): Step {
  const { limitBytes, types } = options;
  const parse = bodyParser.json({ limit: limitBytes, type: types, verify: verifyText });
  return (request: ReadRequest, response, next) => {
    const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
    if (length === undefined && coding === undefined) return next();
    let isSettled = false;
    watchSize(request, options, () => {
      if (isSettled) return;
      isSettled = true;
      // The rest is not read to its end.
      response.shouldKeepAlive = false;
      next(tooLarge(undefined, limitBytes));
    });
    if (isSettled) return undefined;
    return parse(request, response, error => {
      if (isSettled) return;
      isSettled = true;
      if (error !== undefined) next(bodyFailure(error) ?? unpackable(error));
      else next(bodyFault(request.body, options.maxDepth));
    });
  };
}

/**
 * Calls `onTooLarge` once, as soon as the body is known to be larger than the limit: the parser would read it to its end first.
 * Also after the parser has refused it for another reason, without reading it.
 */
function watchSize(request: IncomingMessage, { limitBytes, types }: JsonBodyOptions, onTooLarge: () => void): void {
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
  const isLong = Number(length ?? 0) > limitBytes;
  const isUnknown = coding !== undefined && !request.readableEnded;
  if ((!isLong && !isUnknown) || request.readableEnded || typeis(request, types) === false) return;
  if (isLong) {
    onTooLarge();
    return;
  }
  let bytes = 0;
  const count = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes <= limitBytes) return;
    request.off('data', count);
    onTooLarge();
  };
  request.on('data', count);
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

/** Translates an error of a body parser by its `type`, never by its message. */
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
      return malformed('The length of the body differs from Content-Length.', error);
    case 'text.invalid':
      return malformed('The body is not valid UTF-8.');
  }
  return typeof code === 'string' && codeOfUnpacking.test(code) ? unpackable(error) : undefined;
}

function unpackable(cause: unknown): KeelsonError {
  return malformed('The body cannot be decompressed: it does not match Content-Encoding, or a part is missing.', cause);
}

/** Undefined for a body that handlers can work with, and for bytes that other middleware has read. */
function bodyFault(body: unknown, maxDepth: number): KeelsonError | undefined {
  const fault = typeof body === 'object' && !(body instanceof Uint8Array) ? faultIn(body, maxDepth) : undefined;
  if (fault === 'depth') return tooDeep(maxDepth);
  return fault === undefined ? undefined : malformed(fault);
}

const halfCharacter = 'A text in the body contains half of a surrogate pair.';

/** What PostgreSQL cannot store, what JSON has no words for, and names that change objects when they are merged. */
function faultIn(value: unknown, depthLeft: number): string | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? undefined : halfCharacter;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : 'A number in the body is too large.';
  if (typeof value !== 'object' || value === null) return undefined;
  if (depthLeft === 0) return 'depth';
  if (Array.isArray(value)) {
    for (const item of value) {
      const fault = faultIn(item, depthLeft - 1);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
  for (const [key, item] of Object.entries(value)) {
    if (!key.isWellFormed()) return halfCharacter;
    if (key === '__proto__' || (key === 'constructor' && hasPrototype(item)))
      return 'A key in the body is __proto__ or constructor.prototype.';
    const fault = faultIn(item, depthLeft - 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function hasPrototype(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype');
}

function tooDeep(maxDepth: number): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_BODY_TOO_DEEP',
    message: `The body of a request is nested deeper than ${maxDepth} levels.`,
    hint: 'Raise bodyMaxDepth of the http plugin to accept such bodies.',
    facts: { maxDepth },
    http: { status: 400, title: 'Body too deep', detail: `The body is nested deeper than ${maxDepth} levels.` },
  });
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
