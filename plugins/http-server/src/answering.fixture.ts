import { KeelsonError } from '@keelson/core';
import type { Response as ExpressResponse, Request } from 'express';
import { afterEach, beforeEach } from 'vitest';
import { Harness } from './harness.fixture.js';
import { Router } from './server-under-test.fixture.js';
import { RecordedSessions, using } from './sessions.fixture.js';

export type Handler = (request: Request, response: ExpressResponse) => unknown;

/** A server for each test of a file, whose requests have recorded sessions. */
export class Answering {
  harness = new Harness();
  sessions = new RecordedSessions();

  constructor() {
    beforeEach(async () => {
      this.harness = await new Harness().ready();
      this.sessions = new RecordedSessions();
      this.harness.server.letIn(this.sessions);
    });
    afterEach(() => this.harness.stop());
  }

  /** The URL of a route whose requests use their session. */
  route(handler: Handler): string {
    return this.bareRoute(using(handler));
  }

  bareRoute(handler: Handler): string {
    this.harness.http.router('/route', Router().all('/', handler));
    return `${this.harness.url}/route`;
  }
}

export const committed = ['open', 'commit', 'committed'];
export const rolledBack = ['open', 'rollback', 'rolled back'];

export const unavailable = new KeelsonError({
  code: 'DATABASE_CONNECTION_LOST',
  message: 'The connection was lost while committing.',
  http: { status: 503, title: 'Service unavailable', retryAfterMs: 2_000 },
});

/** Turns of the event loop, for what must not happen in any of them. */
export async function aFewTurns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}
