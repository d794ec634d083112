import type { RateLimitOptions } from './options.js';

type Matcher = (method: string, path: string) => boolean;

/** Which requests a limit counts. It looks at paths as routers do: letters of both cases are the same. */
export function matcherOf({ methods, paths }: Pick<RateLimitOptions, 'methods' | 'paths'>): Matcher {
  const counted = methods && new Set(methods.includes('GET') ? [...methods, 'HEAD'] : methods);
  const patterns = paths?.map(expressionOf);
  return (method, path) =>
    (counted === undefined || counted.has(method)) &&
    (patterns === undefined || patterns.some(pattern => pattern.test(path)));
}

/** Matches the path and all below it. */
function expressionOf(path: string): RegExp {
  if (path === '/') return /^\//;
  const parts = path.split('/').map(part => (part.startsWith(':') ? '[^/]+' : part.replaceAll(/[.~-]/g, '\\$&')));
  return new RegExp(`^${parts.join('/')}(?:/|$)`, 'i');
}
