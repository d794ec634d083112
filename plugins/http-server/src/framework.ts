import type { RequestListener } from 'node:http';
import type { HttpHandler } from '@keelson/core';
import type { Route } from '@keelson/http';
import type { HandleError } from './error-handler.js';
import type { HttpOptions } from './options.js';
import type { Step } from './step.js';

/** Handlers by path. Each may pass a request on; inside of one, `request.url` is what follows its path. */
export interface Mounts {
  readonly handle: Step;
  /** Mounts `handler` at `path`, which may have parameters: `/orders/:id`. May be called at any time. */
  use(path: string, handler: HttpHandler): void;
}

/** The routes of the service, as the framework has them. */
export interface FrameworkRoutes {
  /** Tries them; calls `next` for a request that none answers. */
  readonly handle: Step;
  use(path: string, handler: HttpHandler): void;
  mount(path: string, routes: readonly Route[], options: { readonly checks: boolean }): void;
  /** Resolves when the routes can take requests; no route is added after that. Left out: they always can. */
  prepare?(): Promise<void>;
  /** Left out: there is nothing to close. */
  close?(): Promise<void>;
}

export interface FrameworkParts {
  readonly options: HttpOptions;
  readonly handleError: HandleError;
}

/** The parts of a server that depend on its framework. */
export interface Framework {
  /** For probes, pages of operators and middleware of a path. */
  mounts(): Mounts;
  routes(): FrameworkRoutes;
  /** Runs `steps` for each request; an error ends them. */
  listener(steps: readonly Step[]): RequestListener;
  /**
   * Left out: it runs every handler.
   *
   * @throws KeelsonError for a handler that it cannot run.
   */
  assertRuns?(handler: HttpHandler, at: string): void;
}
