import type { IncomingMessage } from 'node:http';
import { exchangeOf } from './exchange.js';

/** Headers that say how bytes travel, and nothing of a user. */
const technical = /^(host|connection|accept.*|content-.*|transfer-encoding|te|upgrade|expect)$/;
/** Headers of several values. */
const composed = new Set(['authorization', 'proxy-authorization', 'cookie', 'forwarded', 'x-forwarded-for']);
const schemes = /^(basic|bearer|digest)$/i;

/** The texts that a client has put into its request: path, query, headers, body. Not the names of headers and fields. */
export function* valuesGivenIn(request: IncomingMessage): Generator<string> {
  const { originalUrl = request.url ?? '', body } = request as { originalUrl?: string; body?: unknown };
  const [path = '', query = ''] = originalUrl.split(/\?(.*)/s);
  yield* segmentsIn(path, exchangeOf(request).route);
  yield* new URLSearchParams(query).values();
  for (const [name, value] of Object.entries(request.headers)) if (!technical.test(name)) yield* partsOf(name, value);
  yield* leavesOf(body);
}

/** What stands in the path in the place of a parameter. */
function segmentsIn(path: string, route = ''): string[] {
  const fixed = new Set(route.split('/'));
  return path
    .split('/')
    .filter(segment => !fixed.has(segment))
    .flatMap(segment => [segment, decoded(segment)]);
}

function* partsOf(name: string, value: string | readonly string[] | undefined): Generator<string> {
  for (const text of [value ?? []].flat()) {
    yield text;
    if (!composed.has(name)) continue;
    for (const part of text.split(/[\s,;]+/)) {
      const assigned = part.slice(part.indexOf('=') + 1);
      if (!schemes.test(part)) yield* [part, assigned, decoded(assigned)];
    }
    const login = /^basic\s+(.*)$/i.exec(text)?.[1];
    if (login !== undefined) yield* Buffer.from(login, 'base64').toString().split(':');
  }
}

/** Not by recursion: the text of a middleware may be nested deeper than the stack. */
function* leavesOf(body: unknown): Generator<string> {
  const waiting = [body];
  const seen = new Set<unknown>();
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value === 'string' || typeof value === 'number') yield String(value);
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || seen.has(value)) continue;
    seen.add(value);
    for (const inside of Object.values(value)) waiting.push(inside);
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
