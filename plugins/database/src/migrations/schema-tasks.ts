import type { Clock } from '@keelson/core';
import type { DatabaseDriver } from '../driver/driver.js';
import type { DatabaseModel } from '../model.js';
import type { CommonDatabaseOptions } from '../options.js';
import type { Orm } from '../orm/orm.js';
import type { SchemaReport } from '../schema/schema-report.js';
import { type MigrationStatus, qualified } from './migration-table.js';
import type { Migrations } from './migrations.js';

export interface SchemaTasksParts {
  readonly orm: Orm;
  readonly driver: DatabaseDriver;
  readonly clock: Clock;
  readonly models: readonly DatabaseModel[];
  readonly options: Pick<CommonDatabaseOptions, 'migrations' | 'commitTokens'>;
}

/** Migrates the tables and compares them with the entities. Most starts need none of the code, so it loads at its first use. */
export class SchemaTasks {
  readonly #parts: SchemaTasksParts;
  #migrations: Promise<Migrations> | undefined;

  constructor(parts: SchemaTasksParts) {
    this.#parts = parts;
  }

  async status(): Promise<MigrationStatus> {
    return (await this.#load()).status();
  }

  async migrate(to: string | undefined): Promise<readonly string[]> {
    return (await this.#load()).up(to);
  }

  async revert(): Promise<string | undefined> {
    return (await this.#load()).down();
  }

  async draftMigration(): Promise<readonly string[]> {
    const { draftMigration } = await import('../schema/draft-migration.js');
    return draftMigration(this.#parts.orm, this.#parts.options.migrations.timeoutMs);
  }

  async validate(): Promise<SchemaReport> {
    const { validateSchema } = await import('../schema/validate-schema.js');
    const { migrations, commitTokens } = this.#parts.options;
    const own = [qualified(commitTokens.tableName)[1]];
    return validateSchema({ orm: this.#parts.orm, timeoutMs: migrations.timeoutMs, own });
  }

  /** One for all calls, because its runs follow each other. */
  #load(): Promise<Migrations> {
    this.#migrations ??= import('./migrations.js').then(({ Migrations }) => {
      const { orm, driver, clock, models, options } = this.#parts;
      return new Migrations({ orm, driver, clock, models, ...options.migrations });
    });
    return this.#migrations;
  }
}
