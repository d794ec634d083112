import { validateHeaderName, validateHeaderValue } from 'node:http';
import { Readable } from 'node:stream';
import type { Response } from 'express';

/** The answer of a repeatable handler. */
export interface Answer {
  /** Default 200. From 400 on, nothing of the unit is stored. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; left out, the answer has no body. */
  readonly body?: unknown;
}

/** An answer that nothing keeps from being sent. */
export interface PreparedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string | undefined;
}

/**
 * Turns the body into the text that `response.json` would send.
 *
 * @throws Error for an answer that could not be sent: a body that is no JSON, a status or a header that is none.
 */
export function prepareAnswer({ status = 200, headers = {}, body }: Answer, response: Response): PreparedAnswer {
  if (!Number.isInteger(status) || status < 100 || status > 999)
    throw new TypeError('A repeatable handler returned a status that is not a whole number from 100 to 999.');
  for (const [name, value] of Object.entries(headers)) {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  }
  return { status, headers, text: textOf(body, response) };
}

function textOf(body: unknown, { app }: Response): string | undefined {
  if (body === undefined) return undefined;
  if (body instanceof Readable || body instanceof ReadableStream)
    throw new TypeError('A repeatable handler returned a stream as its body. Return the data: it is sent as JSON.');
  const text: string | undefined = JSON.stringify(body, app.get('json replacer'), app.get('json spaces'));
  if (text === undefined) throw new TypeError('A repeatable handler returned a body that is no JSON.');
  return app.enabled('json escape') ? text.replaceAll(/[<>&]/g, escaped) : text;
}

function escaped(character: string): string {
  return `\\u00${character.charCodeAt(0).toString(16)}`;
}
