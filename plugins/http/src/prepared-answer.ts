import { Readable } from 'node:stream';
import type { Answer } from './answer.js';
import { http } from './node-http.js';
import { RowStream } from './row-stream.js';

/** An answer that was checked, so that it can certainly be sent. */
export interface PreparedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string | undefined;
}

/**
 * Turns the body into JSON, before anything is stored.
 *
 * @throws Error for an answer that could not be sent: a body that JSON cannot write, an invalid status or header.
 */
export function prepareAnswer(
  { status = 200, headers = {}, body }: Answer,
  stringify: (body: unknown) => string | undefined = JSON.stringify,
): PreparedAnswer {
  if (!Number.isInteger(status) || status < 100 || status > 999)
    throw new TypeError('A handler returned a status that is not a whole number from 100 to 999.');
  for (const [name, value] of Object.entries(headers)) {
    http.validateHeaderName(name);
    http.validateHeaderValue(name, value);
  }
  return { status, headers, text: textOf(body, stringify) };
}

function textOf(body: unknown, stringify: (body: unknown) => string | undefined): string | undefined {
  if (body === undefined) return undefined;
  if (body instanceof RowStream)
    throw new TypeError(
      'A handler that may run again returned rows: they are sent while they are read. Leave "repeatable" out.',
    );
  if (body instanceof Readable || body instanceof ReadableStream)
    throw new TypeError('A handler returned a stream as its body. Return the data: it is sent as JSON.');
  const text = stringify(body);
  if (text === undefined) throw new TypeError('A handler returned a body that is not valid JSON.');
  return text;
}
