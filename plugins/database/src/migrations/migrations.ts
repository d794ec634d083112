import { type Clock, Deadline } from '@keelson/core';
import { borrowWithin } from '../driver/bounded-loan.js';
import type { DatabaseDriver } from '../driver/driver.js';
import { translate } from '../errors/translate.js';
import type { DatabaseModel } from '../model.js';
import type { Orm } from '../orm/orm.js';
import { noSuch, notHere, sameName } from './migration-errors.js';
import { MigrationRun, type MigrationRunParts } from './migration-run.js';
import { askOver, type MigrationStatus, MigrationTable } from './migration-table.js';
import { type NamedMigration, namedMigrations, refuseMinified } from './named-migrations.js';

export interface MigrationsParts {
  readonly orm: Orm;
  readonly driver: DatabaseDriver;
  readonly clock: Clock;
  readonly models: readonly DatabaseModel[];
  readonly tableName: string;
  readonly timeoutMs: number;
}

/** The migrations of a database: what is applied, and runs that change that. */
export class Migrations {
  readonly #parts: MigrationsParts;
  /** In the order in which they run. */
  readonly #migrations: readonly NamedMigration[];
  readonly #names: readonly string[];
  readonly #table: MigrationTable;
  /** In one instance one run follows the other. */
  #last: Promise<unknown> = Promise.resolve();
  #catchingUp: Promise<readonly string[]> | undefined;

  constructor(parts: MigrationsParts) {
    this.#parts = parts;
    this.#migrations = namedMigrations(parts.models);
    this.#names = this.#migrations.map(({ name }) => name);
    this.#table = new MigrationTable(parts.tableName);
  }

  async status(): Promise<MigrationStatus> {
    refuseMinified(this.#migrations);
    const { clock, timeoutMs } = this.#parts;
    const connection = await borrowWithin(this.#parts, { deadline: Deadline.after(timeoutMs, clock) });
    try {
      const applied = await this.#table.applied(askOver(connection));
      const done = new Set(applied.map(({ name }) => name));
      return {
        applied,
        pending: this.#names.filter(name => !done.has(name)),
        unknown: applied.map(({ name }) => name).filter(name => !this.#names.includes(name)),
      };
    } catch (error) {
      throw translate(error);
    } finally {
      connection.release();
    }
  }

  /** Applies what is not yet applied, up to and with `to`. Callers that want all of it share one run. */
  async up(to?: string): Promise<readonly string[]> {
    if (to !== undefined) {
      if (!this.#names.includes(to)) throw noSuch(to, this.#names);
      return this.#inTurn('up', this.#upTo(this.#names.slice(0, this.#names.indexOf(to) + 1)));
    }
    this.#catchingUp ??= this.#inTurn('up', this.#upTo(this.#names)).finally(() => {
      this.#catchingUp = undefined;
    });
    return this.#catchingUp;
  }

  /** Takes the last one back; resolves to its name, or undefined when none is applied. */
  async down(): Promise<string | undefined> {
    const [name] = await this.#inTurn('down', (applied, done) => {
      const last = applied.at(-1);
      if (last === undefined || done.length > 0) return [];
      if (!this.#names.includes(last)) throw notHere(last);
      return [last];
    });
    return name;
  }

  #upTo(names: readonly string[]): MigrationRunParts['choose'] {
    return applied => names.filter(name => !applied.includes(name));
  }

  #inTurn(direction: 'up' | 'down', choose: MigrationRunParts['choose']): Promise<readonly string[]> {
    const next = this.#last.then(() => this.#run(direction, choose));
    this.#last = next.catch(() => {});
    return next;
  }

  async #run(direction: 'up' | 'down', choose: MigrationRunParts['choose']): Promise<readonly string[]> {
    const twice = this.#names.find((name, index) => this.#names.indexOf(name) !== index);
    if (twice !== undefined) throw sameName(twice);
    refuseMinified(this.#migrations);
    const { orm, driver, clock, timeoutMs } = this.#parts;
    const classes = new Map(this.#migrations.map(({ name, migration }) => [name, migration]));
    return new MigrationRun({ orm, driver, clock, timeoutMs, classes, table: this.#table, direction, choose }).run();
  }
}
