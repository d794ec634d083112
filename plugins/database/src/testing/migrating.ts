import { deepEqual, equal } from 'node:assert/strict';
import { Migration } from '@mikro-orm/migrations';
import { rejection, rejectsWith, storedEmails } from './checks.js';
import { conformanceModel } from './conformance-model.js';
import type { Requirement } from './harness.js';

class AddColumnThenFail extends Migration {
  override async up(): Promise<void> {
    this.addSql('create table conformance_half (id integer)');
    this.addSql('insert into no_such_table values (1)');
  }
}

const name = conformanceModel.migrations?.[0]?.name;

export const migrating: readonly Requirement[] = [
  {
    name: 'applies a migration once, and tells which',
    async check({ open }) {
      const [database] = await open();
      await database.connect();
      deepEqual(await database.migrate(), [name]);
      deepEqual(await database.migrate(), []);
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'applies a migration once for all who ask one service at the same time',
    async check({ open }) {
      const [database] = await open();
      await database.connect();
      const applied = await Promise.all([database.migrate(), database.migrate(), database.migrate()]);
      deepEqual(new Set(applied.flat()), new Set([name]));
      deepEqual(await database.migrate(), []);
    },
  },
  {
    name: 'applies a migration once for several instances at the same time',
    requires: 'multi-connection',
    async check({ open }) {
      const databases = await open(3);
      await Promise.all(databases.map(database => database.connect()));
      const applied = await Promise.all(databases.map(database => database.migrate()));
      deepEqual(applied.flat(), [name]);
    },
  },
  {
    name: 'stores nothing of migrations of which one fails, and says so',
    async check({ open }) {
      const [database] = await open(1, [conformanceModel, { entities: [], migrations: [AddColumnThenFail] }]);
      await database.connect();
      await rejectsWith(database.migrate(), 'DATABASE_MIGRATION_FAILED');
      for (const table of ['conformance_half', 'conformance_account']) {
        await rejection(database.session(em => em.execute(`select 1 from ${table}`)));
      }
      equal(database.stats().busy, 0);
    },
  },
];
