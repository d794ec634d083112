import type { IncomingMessage } from 'node:http';
import cors from 'cors';
import type { CorsOptions } from './options.js';
import type { Step } from './step.js';

/** Answers preflight requests, and says in each answer which pages may read it (https://fetch.spec.whatwg.org/#http-cors-protocol). */
export function corsHandler({ origins, methods, headers, exposedHeaders, credentials, maxAgeMs }: CorsOptions): Step {
  const settings = {
    origin: origins === '*' ? '*' : [...origins],
    methods: [...methods],
    ...(headers !== undefined && { allowedHeaders: [...headers] }),
    exposedHeaders: [...exposedHeaders],
    credentials,
    maxAge: Math.round(maxAgeMs / 1_000),
  };
  const answer = cors(settings);
  // An OPTIONS request that no browser has sent to ask for leave belongs to the routes.
  const passOn = cors({ ...settings, preflightContinue: true });
  return (request, response, next) =>
    isPreflight(request) ? answer(request, response, next) : passOn(request, response, next);
}

function isPreflight({ headers }: IncomingMessage): boolean {
  return headers.origin !== undefined && headers['access-control-request-method'] !== undefined;
}
