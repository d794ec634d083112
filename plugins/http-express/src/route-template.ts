import type { IncomingMessage } from 'node:http';
import { exchangeOf } from './exchange.js';

/** Properties that Express sets on a request in its routers. */
export interface RoutedRequest extends IncomingMessage {
  baseUrl?: string;
}

/**
 * Records the route that answers: `path` as it was mounted, then each route that a router inside of it picks.
 *
 * Express exposes the picked route only by assigning `request.route`. At that time `baseUrl` is right; after an error it
 * is not any more. So the assignment is watched.
 */
export function noteRoute(request: RoutedRequest, path: string): void {
  const exchange = exchangeOf(request);
  const mounted = request.baseUrl ?? '';
  let route: unknown;
  exchange.route = joined(path);
  Object.defineProperty(request, 'route', {
    configurable: true,
    enumerable: true,
    get: () => route,
    set: (picked: { path?: unknown } | undefined) => {
      route = picked;
      if (picked === undefined) return;
      const inner = (request.baseUrl ?? '').slice(mounted.length);
      exchange.route = joined(path, withoutValues(inner), described(picked.path));
    },
  });
}

/** Returns the mount path of a nested router, with segments that may be values of users hidden. */
function withoutValues(matched: string): string {
  return matched.replaceAll(/[^/]+/g, segment => (/^[a-z]+(-[a-z]+)*$/i.test(segment) ? segment : '*'));
}

function described(path: unknown): string {
  return Array.isArray(path) ? path.map(String).join('|') : String(path);
}

function joined(...parts: string[]): string {
  const path = parts
    .join('/')
    .replaceAll(/\/{2,}/g, '/')
    .replace(/\/$/, '');
  return path.startsWith('/') ? path : `/${path}`;
}
