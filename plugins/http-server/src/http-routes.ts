import { runsInProduction } from '@keelson/core';
import {
  documentHandler,
  type HttpRoutes,
  MountedRoutes,
  type OpenApiDocument,
  pageHandler,
  type Route,
} from '@keelson/http';
import type { NodeHttpServer } from './node-http-server.js';
import type { HttpOptions } from './options.js';

export interface RoutesParts {
  readonly http: NodeHttpServer;
  readonly service: string;
  readonly environment: string | undefined;
}

/** Mounts routes with schemas, and describes them. */
export class ServerHttpRoutes implements HttpRoutes {
  readonly #options: Pick<HttpOptions, 'openApi' | 'checkAnswers'>;
  readonly #parts: RoutesParts;
  readonly #mounted = new MountedRoutes();
  #hasIdempotent = false;

  constructor(options: Pick<HttpOptions, 'openApi' | 'checkAnswers'>, parts: RoutesParts) {
    this.#options = options;
    this.#parts = parts;
  }

  mount(path: string, routes: readonly Route[]): void {
    const isFirst = this.#mounted.size === 0;
    this.#mounted.add(path, routes);
    this.#hasIdempotent ||= routes.some(({ idempotency }) => idempotency !== undefined);
    if (isFirst && routes.length > 0) this.#describe();
    this.#parts.http.mountRoutes(path, routes, { checks: this.#checks() });
  }

  /** They need their table, and something that deletes expired keys. */
  get hasIdempotent(): boolean {
    return this.#hasIdempotent;
  }

  describe(change: (document: OpenApiDocument) => OpenApiDocument): void {
    this.#mounted.change(change);
  }

  #checks(): boolean {
    const { checkAnswers } = this.#options;
    if (checkAnswers !== 'auto') return checkAnswers === 'always';
    return !runsInProduction(this.#parts.environment);
  }

  #describe(): void {
    const { openApi } = this.#options;
    if (openApi === false) return;
    const { http, service } = this.#parts;
    const { title = service, version, documentPath, pagePath } = openApi;
    const document = documentHandler(() => this.#mounted.document({ title, version }));
    http.router(documentPath, document, { session: 'none' });
    if (pagePath !== false) http.router(pagePath, pageHandler({ pagePath, documentPath, title }), { session: 'none' });
  }
}
