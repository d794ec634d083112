import { assertAble } from '../driver/assert-able.js';
import type { DatabaseDriver, DriverConnection } from '../driver/driver.js';
import { SessionClosedError } from '../errors/session-errors.js';
import type { HeldConnection } from './held-connection.js';
import type { Savepoint, Savepoints } from './savepoints.js';
import type { Statements } from './statements.js';
import type { UnitOutcome } from './unit-outcome.js';

/** The parts of a transaction that its savepoints work on. */
export interface SavepointSite {
  readonly driver: DatabaseDriver;
  readonly outcome: UnitOutcome;
  readonly held: HeldConnection;
  readonly statements: Statements;
  readonly savepoints: Savepoints;
  /** @throws when the transaction cannot go on. */
  assertUsable(): void;
  /** The connection of the transaction; with `failedToo`, also after a failed statement. */
  connection(options?: { readonly failedToo: boolean }): Promise<DriverConnection>;
}

/** Sets savepoints of one transaction, goes back to them and releases them. The caller lets only one command run at a time. */
export class SavepointCommands {
  readonly #site: SavepointSite;

  constructor(site: SavepointSite) {
    this.#site = site;
  }

  /** Sends nothing: the savepoint travels with the next statement. */
  set(name: string): void {
    const { driver, savepoints, statements } = this.#site;
    this.#site.assertUsable();
    assertAble(driver, 'savepoints');
    statements.pending.addSavepoint(savepoints.add(name).id);
  }

  /** Undefined when another savepoint had taken it away before: then there is nothing to undo. */
  async rollBackTo(name: string): Promise<Savepoint | undefined> {
    const { held, outcome, savepoints, statements } = this.#site;
    const savepoint = savepoints.find(name);
    if (savepoint === undefined) return undefined;
    if (statements.pending.has(savepoint.id)) {
      // Several commands in one text are read as a whole: a mistake in it has left the server without the savepoint.
      const isFailed = held.current?.status === 'failed transaction';
      outcome.move({ it: isFailed ? 'failed' : 'was mended' });
      statements.pending.dropNoticesAfter(savepoint.id, savepoint.block);
      return savepoint;
    }
    const connection = await this.#site.connection({ failedToo: true });
    statements.pending.dropNotices();
    outcome.move({ it: 'was mended' });
    await statements.run(connection, [{ sql: `rollback to savepoint ${savepoint.id}` }]);
    savepoints.rolledBack(savepoint);
    return savepoint;
  }

  /** Goes back to a savepoint that is not used again. */
  async undo(name: string): Promise<void> {
    const { savepoints, statements } = this.#site;
    const savepoint = await this.rollBackTo(name);
    if (savepoint === undefined) return savepoints.endLost();
    if (statements.pending.takeBack(savepoint.id)) savepoints.forget(savepoint);
    if (savepoint.opens) savepoint.block.end('undone');
  }

  async release(name: string): Promise<void> {
    const { savepoints, statements } = this.#site;
    savepoints.assertUsable();
    const savepoint = savepoints.find(name);
    if (savepoint === undefined) throw new SessionClosedError();
    if (statements.pending.takeBack(savepoint.id)) return savepoints.forget(savepoint);
    const connection = await this.#site.connection();
    if (savepoints.isNeeded(savepoint)) return;
    await statements.run(connection, [{ sql: `release savepoint ${savepoint.id}` }]);
    savepoints.released(savepoint);
  }
}
