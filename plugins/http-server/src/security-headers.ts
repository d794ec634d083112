import type { ServerResponse } from 'node:http';
import type { HttpOptions } from './options.js';

/**
 * What browsers should not do with an answer: guess its type, show it in a frame of another page, pass its address on, or come
 * back without TLS. A handler may set other values.
 */
const defaults: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=31536000',
};

/** Sets them on a response that has no headers yet. */
export function securityHeaders(given: HttpOptions['securityHeaders']): (response: ServerResponse) => void {
  if (given === false) return () => {};
  // Names of headers are the same in both cases.
  const values = new Map<string, readonly [name: string, value: string | false]>();
  for (const [name, value] of [...Object.entries(defaults), ...Object.entries(given)]) {
    values.set(name.toLowerCase(), [name, value]);
  }
  const wanted = [...values.values()].flatMap(([name, value]) => (value === false ? [] : [[name, value] as const]));
  return response => {
    for (const [name, value] of wanted) response.setHeader(name, value);
  };
}
