/**
 * The wait before retry number `retry` (1 for the first), in milliseconds: anywhere between 0 and a bound that starts
 * at `initialDelayMs` and doubles up to `maxDelayMs`.
 *
 * Full jitter: callers that failed together come back spread over the whole span.
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoffMs(
  retry: number,
  options: { readonly initialDelayMs: number; readonly maxDelayMs: number },
  random: () => number,
): number {
  return random() * Math.min(options.maxDelayMs, options.initialDelayMs * 2 ** (retry - 1));
}
