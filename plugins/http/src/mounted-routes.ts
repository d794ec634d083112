import { KeelsonError } from '@keelson/core';
import type { MountedRoute, OpenApiDocument } from './open-api.js';
import { isPathTemplate, openApiPath } from './path-template.js';
import type { Route } from './route.js';

/** The routes of a service, as `HttpRoutes` takes them, for a server and for the API description. */
export class MountedRoutes {
  readonly #mounted = new Map<string, MountedRoute>();
  readonly #changes: ((document: OpenApiDocument) => OpenApiDocument)[] = [];

  get size(): number {
    return this.#mounted.size;
  }

  /** @throws KeelsonError HTTP_ROUTE_INVALID for an invalid path, and for routes that are mounted already. */
  add(at: string, routes: readonly Route[]): void {
    const problems = isPathTemplate(at) ? [] : [`${at} is not a path to mount routes at`];
    const added = new Map<string, MountedRoute>();
    for (const route of routes) {
      const key = `${route.method.toUpperCase()} ${openApiPath(at, route.path)}`;
      // Names in a path do not make it another one.
      const same = key.replaceAll(/\{[^}]*\}/g, '{}');
      if (this.#mounted.has(same) || added.has(same)) problems.push(`${key} is mounted already`);
      added.set(same, { at, route });
    }
    if (problems.length > 0) throw mountInvalid(at, problems);
    for (const [key, mounted] of added) this.#mounted.set(key, mounted);
  }

  change(change: (document: OpenApiDocument) => OpenApiDocument): void {
    this.#changes.push(change);
  }

  /** The API description with all changes. Loads what it needs when it is first asked for. */
  async document(info: { readonly title: string; readonly version: string }): Promise<OpenApiDocument> {
    const { openApiDocument } = await import('./open-api.js');
    const document = openApiDocument([...this.#mounted.values()], info);
    return this.#changes.reduce((changed, change) => change(changed), document);
  }
}

function mountInvalid(at: string, problems: readonly string[]): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_ROUTE_INVALID',
    message: `The routes at ${at} cannot be mounted: ${problems.join('; ')}.`,
    hint: 'Change the path that you pass to HttpRoutes.mount(), or the paths of the routes.',
    facts: { at, problems },
  });
}
