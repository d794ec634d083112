import { type Clock, causesOf, type FailureVerdict, isKeelsonError } from '@keelson/core';

/**
 * Statuses after which the same request may succeed: 408 (RFC 9110 15.5.9), 425 (RFC 8470 5.2), 429 (RFC 6585 4), and 502,
 * 503, 504 (RFC 9110 15.6).
 */
const passing: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504]);

/** What a status says of its server; undefined for an answer that is none of the policy's business. */
export function judgeStatus(response: Response, clock: Clock): FailureVerdict | undefined {
  const { status, headers } = response;
  const retry = passing.has(status);
  if (status < 500 && !retry) return undefined;
  const retryAfterMs = retryAfterOf(headers.get('retry-after'), clock);
  return {
    retry,
    availability: status >= 500 ? 'down' : 'up',
    ...(retry && retryAfterMs !== undefined && { retryAfterMs }),
  };
}

/** Milliseconds in `Retry-After`, given as seconds or as a date (RFC 9110 10.2.3); undefined when it is neither. */
export function retryAfterOf(value: string | null, clock: Clock): number | undefined {
  if (value === null) return undefined;
  const text = value.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  const at = /GMT$/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - clock.date().getTime());
}

/** No answer came. Of the operating system, of the resolver, and of undici, which carries `fetch`. */
const unreachable: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENETRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/**
 * Judges what a failed exchange proves about the server. An error that is not a known network error (a wrong URL, an
 * untrusted certificate) proves nothing, and the exchange would fail again.
 */
export function judgeFailure(error: unknown): FailureVerdict {
  const down = isKeelsonError(error, 'RETRY_ATTEMPT_TIMEOUT') || [error, ...causesOf(error)].some(isUnreachable);
  return down ? { retry: true, availability: 'down' } : { retry: false, availability: 'unknown' };
}

function isUnreachable(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && unreachable.has(error.code);
}
