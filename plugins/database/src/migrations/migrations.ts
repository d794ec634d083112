import { type Clock, Deadline, isKeelsonError, KeelsonError } from '@keelson/core';
import type { Migrator } from '@mikro-orm/migrations';
import type { DatabaseDriver } from '../driver/driver.js';
import { faultFacts } from '../errors/connection-error.js';
import { translate } from '../errors/translate.js';
import { withDirectConnections } from '../orm/direct-connections.js';
import type { Orm } from '../orm/orm.js';
import { alone } from './migration-lock.js';
import { appliedMigrations, type MigrationStatus, qualified } from './migration-status.js';

export interface MigrationsParts {
  readonly orm: Orm;
  readonly driver: DatabaseDriver;
  readonly clock: Clock;
  /** Names of all migrations, in the order in which they run. */
  readonly names: readonly string[];
  readonly tableName: string;
  readonly timeoutMs: number;
}

type Run = (migrator: Migrator) => Promise<readonly { readonly name: string }[]>;

/** The migrations of a database. Each call is one transaction: all of it is stored, or nothing. */
export class Migrations {
  readonly #parts: MigrationsParts;
  /** MikroORM's migrator keeps its transaction to itself: it does one thing at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #catchingUp: Promise<readonly string[]> | undefined;

  constructor(parts: MigrationsParts) {
    this.#parts = parts;
  }

  async status(): Promise<MigrationStatus> {
    const { driver, clock, names, tableName, timeoutMs } = this.#parts;
    const connection = await driver.acquire({ deadline: Deadline.after(timeoutMs, clock), readOnly: false });
    try {
      const applied = await appliedMigrations(connection, tableName);
      const done = new Set(applied.map(({ name }) => name));
      return {
        applied,
        pending: names.filter(name => !done.has(name)),
        unknown: applied.map(({ name }) => name).filter(name => !names.includes(name)),
      };
    } catch (error) {
      throw translate(error);
    } finally {
      connection.release();
    }
  }

  /** Applies what is not yet applied, up to and with `to`. Callers that want all of it share one run. */
  async up(to?: string): Promise<readonly string[]> {
    const { names } = this.#parts;
    if (to !== undefined) {
      if (!names.includes(to)) throw noSuch(to, names);
      return this.#inTurn('migrating', migrator => migrator.up({ to }));
    }
    this.#catchingUp ??= this.#inTurn('migrating', migrator => migrator.up()).finally(() => {
      this.#catchingUp = undefined;
    });
    return this.#catchingUp;
  }

  /** Takes the last one back; resolves to its name, or undefined when none is applied. */
  async down(): Promise<string | undefined> {
    const [name] = await this.#inTurn('reverting', async migrator => {
      const { applied } = await this.status();
      const last = applied.at(-1)?.name;
      if (last === undefined) return [];
      if (!this.#parts.names.includes(last)) throw notHere(last);
      return migrator.down({ migrations: [last] });
    });
    return name;
  }

  #inTurn(event: 'migrating' | 'reverting', work: Run): Promise<readonly string[]> {
    const next = this.#last.then(() => this.#run(event, work));
    this.#last = next.catch(() => {});
    return next;
  }

  async #run(event: 'migrating' | 'reverting', work: Run): Promise<readonly string[]> {
    const { orm, driver, clock, tableName, timeoutMs } = this.#parts;
    const migrator: Migrator = orm.config.getExtension('@mikro-orm/migrator') ?? missing();
    let running: string | undefined;
    const listen = async ({ name }: { name: string }) => {
      running = name;
    };
    migrator.on(event, listen);
    try {
      return await alone({ driver, clock, timeoutMs, table: qualified(tableName).join('.') }, async () => {
        const done = await withDirectConnections({ statementTimeoutMs: timeoutMs }, () => work(migrator));
        return done.map(({ name }) => name);
      });
    } catch (error) {
      throw failed(error, running);
    } finally {
      migrator.off(event, listen);
    }
  }
}

function failed(error: unknown, migration: string | undefined): unknown {
  const cause = translate(error);
  if (isKeelsonError(cause, 'DATABASE_MIGRATION_FAILED')) return cause;
  const which = migration === undefined ? 'A migration' : `The migration ${migration}`;
  return new KeelsonError({
    code: 'DATABASE_MIGRATION_FAILED',
    message: `${which} failed and nothing of this run is stored: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: 'Mend the migration, or the data it stumbles over, and start again.',
    facts: { ...(migration !== undefined && { migration }), ...faultFacts(error) },
    cause,
  });
}

function noSuch(name: string, names: readonly string[]): KeelsonError {
  return new KeelsonError({
    code: 'DATABASE_MIGRATION_FAILED',
    message: `There is no migration ${name}; nothing was done.`,
    hint: names.length === 0 ? 'No plugin of this service brings migrations.' : `There are ${names.join(', ')}.`,
    facts: { migration: name },
  });
}

function notHere(name: string): KeelsonError {
  return new KeelsonError({
    code: 'DATABASE_MIGRATION_FAILED',
    message: `The last migration applied, ${name}, is not part of this version of the service; nothing was done.`,
    hint: 'Take it back with the version that brought it.',
    facts: { migration: name },
  });
}

function missing(): never {
  throw new Error('bug: the migrator is not registered');
}
