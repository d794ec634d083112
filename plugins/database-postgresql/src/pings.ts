import type { Clock } from '@keelson/core';
import type { CustomTypesConfig } from 'pg';
import type { PgClient } from './pg-internals.js';
import { StatementBatch } from './statement-batch.js';

export interface PingsOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly types: CustomTypesConfig;
  readonly onFailure: (error: unknown) => void;
}

/** Finds out whether a client that was idle for long still has a server. */
export class Pings {
  readonly #options: PingsOptions;
  readonly #pinged = new Set<PgClient>();

  constructor(options: PingsOptions) {
    this.#options = options;
  }

  /** Resolves with whether the server has answered in time. */
  isAnswered(client: PgClient): Promise<boolean> {
    const { clock, timeoutMs, types, onFailure } = this.#options;
    this.#pinged.add(client);
    return new Promise<boolean>(resolve => {
      const fail = (error: unknown) => {
        onFailure(error);
        resolve(false);
      };
      const timer = clock.schedule(timeoutMs, () => fail(new Error('ping timed out')));
      client.query(
        new StatementBatch([{ sql: 'select 1' }], {
          types,
          settle: ({ failure }) => {
            timer.cancel();
            if (failure === undefined) resolve(true);
            else fail(failure.error);
          },
        }),
      );
    }).finally(() => this.#pinged.delete(client));
  }

  /** Those that are not answered yet fail now. */
  cut(): void {
    for (const client of this.#pinged) client.connection.stream.destroy();
  }
}
