import type { IncomingMessage, RequestListener } from 'node:http';
import type { HttpHandler } from '@keelson/core';
import type { HandleError } from './error-handler.js';
import type { Mounts } from './framework.js';
import { inTurn, type Step } from './step.js';

/** What mounted handlers find on a request, as in every server that mounts handlers at paths. */
interface MountedRequest extends IncomingMessage {
  baseUrl?: string;
  originalUrl?: string;
  params?: object;
}

interface Mounted {
  readonly segments: readonly string[];
  readonly handle: HttpHandler;
}

/** Mounts handlers for requests of Node at paths, for a framework that cannot mount such handlers itself. */
export class PathMounts implements Mounts {
  readonly #mounted: Mounted[] = [];

  use(path: string, handle: HttpHandler): void {
    this.#mounted.push({ segments: segmentsOf(path), handle });
  }

  readonly handle: Step = (request, response, done) => {
    if (this.#mounted.length === 0) return done();
    let at = 0;
    const next = (error?: unknown): unknown => {
      if (error !== undefined && error !== null) return done(error);
      for (let mounted = this.#mounted[at++]; mounted !== undefined; mounted = this.#mounted[at++]) {
        const end = matchedLength(mounted.segments, request.url ?? '/');
        if (end !== undefined)
          return inside(request, mounted, end, leave => mounted.handle(request, response, leave), next);
      }
      return done();
    };
    return next();
  };
}

/** Runs `handle` while the URL is what follows the mount; `next` sees it as it was. */
function inside(
  request: MountedRequest,
  { segments }: Mounted,
  end: number,
  handle: (leave: (error?: unknown) => void) => unknown,
  next: (error?: unknown) => unknown,
): unknown {
  const { url = '/', baseUrl = '', params } = request;
  const rest = url.slice(end);
  request.originalUrl ??= url;
  request.baseUrl = baseUrl + url.slice(0, end);
  request.url = rest.startsWith('/') ? rest : `/${rest}`;
  request.params = paramsOf(segments, url.slice(1, end).split('/'));
  const leave = (error?: unknown): unknown => {
    request.url = url;
    request.baseUrl = baseUrl;
    if (params === undefined) delete request.params;
    else request.params = params;
    return next(error);
  };
  const fail = (error: unknown) => leave(error ?? new Error(withoutError));
  try {
    const result = handle(leave);
    return result instanceof Promise ? result.catch(fail) : result;
  } catch (error) {
    return fail(error);
  }
}

function segmentsOf(path: string): readonly string[] {
  return path
    .toLowerCase()
    .split('/')
    .filter(segment => segment !== '');
}

/** How much of `url` the mount takes: whole segments, in letters of both cases. Undefined when it is at another place. */
function matchedLength(segments: readonly string[], url: string): number | undefined {
  const query = url.indexOf('?');
  const end = query === -1 ? url.length : query;
  let at = 0;
  for (const segment of segments) {
    if (at >= end || url[at] !== '/') return undefined;
    const slash = url.indexOf('/', at + 1);
    const to = slash === -1 || slash > end ? end : slash;
    const part = url.slice(at + 1, to);
    if (part === '' || (!segment.startsWith(':') && part.toLowerCase() !== segment)) return undefined;
    at = to;
  }
  return at;
}

function paramsOf(segments: readonly string[], parts: readonly string[]): object {
  const params: Record<string, string> = {};
  for (const [at, segment] of segments.entries()) {
    if (segment.startsWith(':')) params[segment.slice(1)] = decodeURIComponent(parts[at] ?? '');
  }
  return params;
}

/**
 * Returns a listener that runs `steps` with the request and the response of Node, and passes an error to `handleError`. For a
 * framework that one of the steps calls (`FrameworkRoutes.handle`).
 */
export function nodeListener(steps: readonly Step[], handleError: HandleError): RequestListener {
  const run = inTurn(steps);
  return (request, response) => {
    run(request, response, error => {
      try {
        handleError(error || new Error(withoutError), request, response);
      } catch (failure) {
        // An error that cannot even be looked at.
        handleError(failure, request, response);
      }
    });
  };
}

export const withoutError = 'A handler failed with a value that is not an error, such as 0 or false.';
