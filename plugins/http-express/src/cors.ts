import cors from 'cors';
import type { RequestHandler } from 'express';
import type { CorsOptions } from './options.js';

/** Answers preflight requests, and says in each answer which pages may read it (https://fetch.spec.whatwg.org/#http-cors-protocol). */
export function corsHandler({
  origins,
  methods,
  headers,
  exposedHeaders,
  credentials,
  maxAgeMs,
}: CorsOptions): RequestHandler {
  return cors({
    origin: origins === '*' ? '*' : [...origins],
    methods: [...methods],
    ...(headers !== undefined && { allowedHeaders: [...headers] }),
    exposedHeaders: [...exposedHeaders],
    credentials,
    maxAge: Math.round(maxAgeMs / 1_000),
  });
}
