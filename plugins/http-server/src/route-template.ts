import type { IncomingMessage } from 'node:http';
import { exchangeOf } from './exchange.js';

/** Properties that routers set on a request, in the manner of Express. */
export interface RoutedRequest extends IncomingMessage {
  baseUrl?: string;
  params?: object;
}

/** A handler's place among the routes. */
export interface Mount {
  readonly path: string;
  readonly template: string;
}

export function mountAt(path: string): Mount {
  return { path, template: joined(path) };
}

interface Picked {
  readonly path?: unknown;
}

const mountKey = Symbol('mount');
const beforeKey = Symbol('base URL before the mount');
const pickedKey = Symbol('picked route');
type Watched = RoutedRequest & {
  [mountKey]?: Mount | undefined;
  [beforeKey]?: string;
  [pickedKey]?: Picked | undefined;
};

/**
 * Records the route that answers each request of an application, whose requests have the prototype `requests`: the path
 * as it was mounted, then each route that a router inside of it picks.
 *
 * Express exposes the picked route only by assigning `request.route`. At that time `baseUrl` is right; after an error it
 * is not any more. So the assignment is watched.
 */
export function watchRoutes(requests: object): void {
  Object.defineProperty(requests, 'route', {
    configurable: true,
    enumerable: true,
    get(this: Watched) {
      return this[pickedKey];
    },
    set(this: Watched, picked: Picked | undefined) {
      this[pickedKey] = picked;
      notePicked(this, picked);
    },
  });
}

/** Records that the handler at `mount` gets the request, for the route template of the request. */
export function noteRoute(request: RoutedRequest, mount: Mount): void {
  const watched: Watched = request;
  watched[mountKey] = mount;
  watched[beforeKey] = request.baseUrl ?? '';
  exchangeOf(request).route = mount.template;
}

/** The handler has passed the request on. */
export function forgetRoute(request: RoutedRequest): void {
  const watched: Watched = request;
  watched[mountKey] = undefined;
  exchangeOf(request).route = undefined;
}

/** The template of the route that has answered. An application inside of a function is not watched, but has left its route. */
export function routeOf(request: RoutedRequest): string | undefined {
  const own: unknown = Object.getOwnPropertyDescriptor(request, 'route')?.value;
  if (typeof own === 'object' && own !== null) notePicked(request, own);
  return exchangeOf(request).route;
}

function notePicked(request: Watched, picked: Picked | undefined): void {
  const mount = request[mountKey];
  if (picked === undefined || mount === undefined) return;
  const inner = (request.baseUrl ?? '').slice(request[beforeKey]?.length);
  exchangeOf(request).route = templateOf(mount, inner, picked, request.params);
}

interface Known {
  readonly mount: Mount;
  readonly inner: string;
  readonly template: string;
  /** All that the route has had. */
  readonly templates: Set<string>;
}

/** Of a picked route, the template that it had last; most routes have one alone. */
const known = new WeakMap<Picked, Known>();

/** More places of one route than this are values of users, from parameters of routers further out. */
const mostTemplates = 20;

function templateOf(mount: Mount, inner: string, picked: Picked, params: object | undefined): string {
  const last = known.get(picked);
  if (last?.mount === mount && last.inner === inner) return last.template;
  const { templates } = last ?? { templates: new Set<string>() };
  let template = joined(mount.path, withoutValues(inner, params), described(picked.path));
  if (!templates.has(template) && templates.size >= mostTemplates)
    template = joined(mount.path, inner.replaceAll(/[^/]+/g, '*'), described(picked.path));
  else templates.add(template);
  known.set(picked, { mount, inner, template, templates });
  return template;
}

/**
 * Returns the mount path of a nested router, with segments that may be values of users hidden. While a router picks its route,
 * `params` are still those of its own mount.
 */
function withoutValues(matched: string, params: object = {}): string {
  const values = Object.values(params)
    .flat()
    .filter(value => typeof value === 'string' && value !== '');
  const isName = (segment: string) =>
    /^[a-z]+(-[a-z]+)*$/i.test(segment) && !values.some(value => segment.includes(value));
  return matched.replaceAll(/[^/]+/g, segment => (isName(segment) ? segment : '*'));
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
