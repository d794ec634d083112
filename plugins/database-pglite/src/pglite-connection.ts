import { setImmediate } from 'node:timers/promises';
import {
  type BatchOutcome,
  type ConnectionStatus,
  type DriverConnection,
  hasDefined,
  hasLeftState,
  type LastingNames,
  type Row,
  type Statement,
  UnsupportedError,
} from '@keelson/database';
import { batchOf, type PgliteEngine } from './pglite-engine.js';

export interface PgliteConnectionParts {
  /** What of the database may leave a state on the connection. */
  readonly names: LastingNames;
  /** PGlite has crashed during a statement. */
  readonly onLost: (cause: unknown) => void;
  /** Settings and channels of the connection are those of a fresh one. */
  readonly onDiscarded: () => Promise<void>;
  /** The connection is free again. */
  readonly onReturned: () => void;
}

/** The one connection of PGlite, on loan. */
export class PgliteConnection implements DriverConnection {
  readonly #engine: PgliteEngine;
  readonly #parts: PgliteConnectionParts;
  #status: ConnectionStatus = 'idle';
  #lent = true;
  #isAltered = false;
  #hasDefined = false;
  /** The batch that runs, when PGlite runs in another process: only then can the connection be destroyed meanwhile. */
  #running: Promise<unknown> = Promise.resolve();

  constructor(engine: PgliteEngine, parts: PgliteConnectionParts) {
    this.#engine = engine;
    this.#parts = parts;
  }

  get status(): ConnectionStatus {
    return this.#lent ? this.#status : 'lost';
  }

  async run(statements: readonly Statement[]): Promise<BatchOutcome> {
    if (!this.#lent || this.#status === 'lost') return gone();
    const batch = batchOf(statements);
    this.#isAltered ||= statements.some(({ sql }) => this.#parts.names.leavesState(sql));
    try {
      const running = this.#engine.run(batch);
      this.#running = running.then(
        ({ status }) => {
          this.#status = status;
        },
        () => undefined,
      );
      const { status, unfinished: _, ...outcome } = await running;
      this.#status = status;
      this.#isAltered ||= hasLeftState(statements, outcome.results);
      this.#hasDefined ||= hasDefined(statements, outcome.results);
      // A statement blocks the process; timers and sockets run between two of them.
      await setImmediate();
      return outcome;
    } catch (error) {
      return this.#lost(error);
    }
  }

  async *stream(statement: Statement, chunkSize: number): AsyncIterable<Row[]> {
    if (!this.#lent || this.#status === 'lost') throw gone().failure.error;
    if (this.#status === 'idle') {
      yield* this.#chunks(statement, chunkSize);
      return;
    }
    this.#isAltered ||= this.#parts.names.leavesState(statement.sql);
    const rows = this.#engine.stream(statement, chunkSize);
    try {
      for (;;) {
        const { done, value } = await rows.next();
        if (done === true) {
          if (value?.failure === undefined) return;
          this.#status = value.status;
          throw value.failure.error;
        }
        yield value;
        await setImmediate();
        if (!this.#lent) return;
      }
    } finally {
      await rows.return(undefined);
    }
  }

  copy(): Promise<number> {
    return Promise.reject(new UnsupportedError({ driver: 'pglite', capability: 'copy' }));
  }

  cancel(): Promise<void> {
    return Promise.reject(new UnsupportedError({ driver: 'pglite', capability: 'cancel' }));
  }

  release(): void {
    this.destroy();
  }

  /** Without a socket to close, this resets open transactions and altered state, and the connection is lent again. */
  destroy(): void {
    if (!this.#lent) return;
    this.#lent = false;
    void this.#tidy().finally(this.#parts.onReturned);
  }

  async #tidy(): Promise<void> {
    await this.#running;
    if (this.#status === 'lost') return;
    try {
      if (this.#status !== 'idle') await this.#engine.run(batchOf([{ sql: 'rollback' }]));
      if (this.#hasDefined) await this.#parts.names.learn();
      if (!this.#isAltered) return;
      await this.#engine.run(batchOf([{ sql: 'discard all' }]));
      await this.#parts.onDiscarded();
    } catch (error) {
      this.#parts.onLost(error);
    }
  }

  /** A portal lives as long as its transaction, and here no transaction is open. */
  async *#chunks(statement: Statement, chunkSize: number): AsyncIterable<Row[]> {
    const { results, failure } = await this.run([statement]);
    if (failure !== undefined) throw failure.error;
    const rows = results[0]?.rows ?? [];
    for (let at = 0; at < rows.length; at += chunkSize) yield rows.slice(at, at + chunkSize);
  }

  #lost(error: unknown): BatchOutcome {
    this.#status = 'lost';
    this.#parts.onLost(error);
    return gone(error);
  }
}

/** The message of pg for a lost connection, which callers recognize. */
function gone(cause?: unknown): BatchOutcome & { failure: { error: Error } } {
  return { results: [], failure: { error: new Error('Connection terminated: PGlite has ended', { cause }) } };
}
