import { masked } from './masked.js';

/**
 * Errors of Node that quote the text which they refuse: JSON, a URL, a header, a number. No pattern has two parts of any
 * length: hostile text costs no more than its length.
 */
const quoting: readonly (readonly [pattern: RegExp, shown: string])[] = [
  [/^(?:Unexpected token .{1,10}, )?(?:\.\.\.)?".*"(?:\.\.\.)? is not valid JSON$/s, `${masked} is not valid JSON`],
  [/^(Failed to parse URL from ).*$/s, `$1${masked}`],
  [/^(Request cannot be constructed from a URL that includes credentials: ).*$/s, `$1${masked}`],
  [/^(Headers\.\w+: ).* is an invalid header (value|name)\.?$/s, `$1${masked} is an invalid header $2`],
  [/^(Cannot convert ).*( to a BigInt)$/s, `$1${masked}$2`],
];

/** The message of an error of Node without the text that it refuses; any other message as it is. */
export function maskQuotedInput(message: string): string {
  for (const [pattern, shown] of quoting) {
    if (pattern.test(message)) return message.replace(pattern, shown);
  }
  return message;
}
