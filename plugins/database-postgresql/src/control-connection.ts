import { type BatchOutcome, type Statement, sqlStateOf } from '@keelson/database';
import type pg from 'pg';
import type { CustomTypesConfig } from 'pg';
import { addressOf, asPgClient, type PgClient } from './pg-internals.js';
import { StatementBatch } from './statement-batch.js';

/** The question waited for a lock in vain, as it had asked for: the connection is as it was. */
const lockNotAvailable = '55P03';

/** Where the control connection leads to, and as whom. */
export interface ControlServer {
  /** The backend, as the handshake named it. */
  readonly processId: number | null;
  readonly address: string;
  readonly user: string | undefined;
}

function serverOf(client: PgClient): ControlServer {
  return { processId: client.processID, address: addressOf(client), user: client.user };
}

/**
 * One connection outside of the pool, for questions about the server that must not wait behind the work of users.
 * Opened when first needed, again when it was lost; one question at a time.
 */
export class ControlConnection {
  readonly #newClient: () => pg.Client;
  readonly #types: CustomTypesConfig;
  readonly #onLost: (cause: unknown) => void;
  readonly #isOffLimits: (client: PgClient) => boolean;
  #client: Promise<PgClient> | undefined;
  #asking: Promise<unknown> = Promise.resolve();
  #isStale = false;
  #server: ControlServer | undefined;

  /**
   * `onLost` is called when a connection ended by itself. One that `isOffLimits` leads to another server than it should, so
   * it is opened again before it is asked; whatever it leads to then is asked.
   */
  constructor(
    newClient: () => pg.Client,
    types: CustomTypesConfig,
    onLost: (cause: unknown) => void,
    isOffLimits: (client: PgClient) => boolean = () => false,
  ) {
    this.#newClient = newClient;
    this.#types = types;
    this.#onLost = onLost;
    this.#isOffLimits = isOffLimits;
  }

  /** The backend of the last connection, as the handshake named it, and where it is. */
  get server(): ControlServer | undefined {
    return this.#server;
  }

  /** Rejects when it cannot be asked, and with the signal's reason when that comes first; then the socket is destroyed. */
  ask(statements: readonly Statement[], signal: AbortSignal): Promise<BatchOutcome['results']> {
    const answer = this.#asking.then(() => this.#ask(statements, signal));
    this.#asking = answer.catch(() => {});
    return unlessAborted(answer, signal);
  }

  /** Opened again when it is next needed. */
  close(): void {
    this.#drop();
  }

  /** The same, but a question that is being asked is answered first. */
  expire(): void {
    this.#isStale = true;
  }

  async #ask(statements: readonly Statement[], signal: AbortSignal): Promise<BatchOutcome['results']> {
    signal.throwIfAborted();
    if (this.#isStale) this.#drop();
    try {
      return await unlessAborted(this.#run(statements), signal);
    } catch (error) {
      if (sqlStateOf(error) !== lockNotAvailable) this.#drop();
      throw error;
    }
  }

  async #run(statements: readonly Statement[]): Promise<BatchOutcome['results']> {
    this.#client ??= this.#open();
    if (this.#isOffLimits(await this.#client)) {
      this.#drop();
      this.#client = this.#open();
    }
    const client = await this.#client;
    return new Promise((resolve, reject) => {
      client.query(
        new StatementBatch(statements, {
          types: this.#types,
          settle: ({ results, failure }) => {
            if (failure === undefined) resolve(results);
            else reject(failure.error);
          },
        }),
      );
    });
  }

  #open(): Promise<PgClient> {
    const client = asPgClient(this.#newClient());
    const opened = client.connect().then(() => {
      client.connection.stream.unref();
      // One that was dropped while it connected may come after its successor.
      if (this.#client === opened) this.#server = serverOf(client);
      return client;
    });
    client.on('error', error => {
      if (this.#client !== opened) return;
      this.#drop();
      this.#onLost(error);
    });
    return opened;
  }

  #drop(): void {
    const dropped = this.#client;
    this.#client = undefined;
    this.#isStale = false;
    void dropped?.then(
      client => client.connection.stream.destroy(),
      () => {},
    );
  }
}

export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
