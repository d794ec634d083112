import type { IncomingMessage } from 'node:http';
import { KeelsonError } from '@keelson/core';

/** Headers that must be single; Node keeps the first of several or joins them, and a proxy in front may keep the last. */
const saidOnce = new Set(['host', 'content-type', 'authorization', 'idempotency-key', 'origin']);
const saidOnceLengths = new Set([...saidOnce].map(({ length }) => length));
/** A host and a port, as of RFC 3986: what is in none of them is a part of something else. */
const hostForm = /^(?:\[[\da-f:.]+\]|[^\s/?#@\\,"<>:[\]]*)(?::\d{0,5})?$/i;
const absoluteForm = /^https?:\/\/([^/?#]*)(.*)$/i;

/**
 * Rewrites a target in absolute form (`GET http://shop/orders`), so that handlers see a path. One that names another host than
 * the header is left, and refused.
 */
export function toOriginForm(request: IncomingMessage): void {
  const [, host, rest = ''] = absoluteForm.exec(request.url ?? '') ?? [];
  if (host === undefined || host.toLowerCase() !== request.headers.host?.toLowerCase()) return;
  request.url = rest.startsWith('/') ? rest : `/${rest}`;
}

/** Returns why `request` is refused: Node accepts it, and other HTTP parsers read it differently or refuse it. */
export function syntaxFailure(request: IncomingMessage): KeelsonError | undefined {
  const { httpVersionMajor, httpVersionMinor, headers, method, url = '' } = request;
  if (httpVersionMajor !== 1) return malformed('This server speaks HTTP/1.1 and HTTP/1.0.');
  const repeated = repeatedHeader(request);
  if (repeated !== undefined) return malformed(`The request has more than one header ${repeated}.`);
  if (headers.host === undefined && httpVersionMinor === 1) return malformed('The request has no header Host.');
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    return malformed('Only Transfer-Encoding: chunked is read.');
  if (coding !== undefined && httpVersionMinor === 0) return malformed('HTTP/1.0 has no Transfer-Encoding.');
  if (!hostForm.test(headers.host ?? '')) return malformed('The header Host names no host.');
  if (!isTarget(url, method)) return malformed('The target is not a path, or names another host than the header Host.');
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue') return expectation();
  if (isUpgrade(headers)) return upgrade();
  return url.includes('%') ? percentFailure(url) : undefined;
}

/** In origin form; `*` asks about the whole server. A fragment is for the client alone. */
function isTarget(url: string, method: string | undefined): boolean {
  return url.startsWith('/') ? !url.includes('#') : url === '*' && method === 'OPTIONS';
}

/** For CONNECT, too, which asks for a tunnel. */
export function upgrade(): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_UPGRADE_REFUSED',
    message: 'A request asked for a protocol that this server does not support.',
    http: { status: 400, title: 'Upgrade refused', detail: 'This server supports HTTP/1.1 only, and opens no tunnel.' },
  });
}

/** Whether the client also accepts HTTP/1.1 and need not be refused: `Upgrade: h2c`. */
function isUpgrade({ upgrade, connection = '' }: IncomingMessage['headers']): boolean {
  if (upgrade === undefined || !/\bupgrade\b/i.test(connection)) return false;
  return upgrade.split(',').every(protocol => protocol.trim().toLowerCase() !== 'h2c');
}

function repeatedHeader({ rawHeaders }: IncomingMessage): string | undefined {
  const seen = new Set<string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const written = rawHeaders[at] ?? '';
    if (!saidOnceLengths.has(written.length)) continue;
    const name = written.toLowerCase();
    if (!saidOnce.has(name)) continue;
    if (seen.has(name)) return rawHeaders[at];
    seen.add(name);
  }
  return undefined;
}

function percentFailure(url: string): KeelsonError | undefined {
  const query = url.indexOf('?');
  const path = query === -1 ? url : url.slice(0, query);
  if (!isDecodable(path)) return malformedPath();
  return isDecodable(url.slice(path.length)) ? undefined : malformedQuery();
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function malformed(detail: string): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_REQUEST_MALFORMED',
    message: 'A request breaks the rules of HTTP/1.1.',
    http: { status: 400, title: 'Malformed request', detail },
  });
}

function expectation(): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_EXPECTATION_FAILED',
    message: 'A request has an Expect header that this server does not support.',
    http: { status: 417, title: 'Expectation failed', detail: 'The only supported value of Expect is 100-continue.' },
  });
}

export function malformedPath(cause?: unknown): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_PATH_MALFORMED',
    message: 'The path of a request could not be decoded.',
    cause,
    http: {
      status: 400,
      title: 'Malformed path',
      detail:
        'The path has a percent sign that does not begin an encoded UTF-8 character. Send %25 for a percent sign.',
    },
  });
}

function malformedQuery(): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_QUERY_MALFORMED',
    message: 'The query of a request could not be decoded.',
    http: {
      status: 400,
      title: 'Malformed query',
      detail:
        'The query has a percent sign that does not begin an encoded UTF-8 character. Send %25 for a percent sign.',
    },
  });
}
