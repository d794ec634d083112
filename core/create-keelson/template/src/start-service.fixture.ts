import { HttpServer, systemClock } from '@keelson/core';
import { createTestKernel, type TestKernel } from '@keelson/core/testing';
import { embeddedDatabase } from '@keelson/database-pglite/testing';
import http from '@keelson/http-express';
import retry from '@keelson/retry-opossum';
import notes from './notes.plugin.js';

/**
 * Starts the service on an embedded database in memory, on a free port of 127.0.0.1. The first start migrates a database and
 * keeps it in `node_modules/.cache`; later ones copy it, until a migration changes.
 */
export function startService(): Promise<TestKernel> {
  return createTestKernel({
    plugins: [embeddedDatabase(), retry, http, notes],
    values: {
      database: { migrations: { atStart: true }, schema: { validateAtStart: 'fail' } },
      http: { port: 0, host: '127.0.0.1' },
    },
    clock: systemClock,
  });
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** Sends a request to the service; `body` as JSON. */
export async function send(service: TestKernel, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${service.container.get(HttpServer).url}${path}`, {
    method,
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
}
