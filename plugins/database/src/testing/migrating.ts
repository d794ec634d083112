import { deepEqual, equal, ok } from 'node:assert/strict';
import { isKeelsonError } from '@keelson/core';
import { Migration } from '@mikro-orm/migrations';
import type { DatabaseService } from '../database-service.js';
import { rejection, rejectsWith, storedEmails } from './checks.js';
import { conformanceModel } from './conformance-model.js';
import type { Requirement } from './harness.js';

class AddColumnThenFail extends Migration {
  override async up(): Promise<void> {
    this.addSql('create table conformance_half (id integer)');
    this.addSql('insert into no_such_table values (1)');
  }
}

class CreateShelves extends Migration {
  override up(): void {
    this.addSql('create table conformance_shelf (id integer)');
  }

  override down(): void {
    this.addSql('drop table conformance_shelf');
  }
}

class IndexShelves extends Migration {
  override isTransactional(): boolean {
    return false;
  }

  override up(): void {
    this.addSql('create index concurrently conformance_shelf_index on conformance_shelf (id)');
  }

  override down(): void {
    this.addSql('drop index concurrently conformance_shelf_index');
  }
}

class WidenShelves extends Migration {
  override up(): void {
    this.addSql('alter table conformance_shelf add column width integer');
  }

  override down(): void {
    this.addSql('alter table conformance_shelf drop column width');
  }
}

class FailHalfWay extends Migration {
  override isTransactional(): boolean {
    return false;
  }

  override up(): void {
    this.addSql('insert into conformance_shelf (id) values (1)');
    this.addSql('insert into no_such_table values (1)');
    this.addSql('insert into conformance_shelf (id) values (2)');
  }
}

class CommitByHand extends Migration {
  override up(): void {
    this.addSql('insert into conformance_shelf (id) values (3)');
    this.addSql('commit');
  }
}

class ConcurrentlyInTransaction extends Migration {
  override up(): void {
    this.addSql('create index concurrently conformance_other_index on conformance_shelf (id)');
  }
}

const [name] = Object.keys(conformanceModel.migrations ?? {});
const shelves = [CreateShelves, IndexShelves, WidenShelves];
const shelfNames = ['CreateShelves', 'IndexShelves', 'WidenShelves'];

const modelsOf = (...migrations: (typeof CreateShelves)[]) => [{ entities: [], migrations }];

const appliedIn = async (database: DatabaseService) =>
  (await database.migrations()).applied.map(applied => applied.name);

const shelvesIn = (database: DatabaseService) =>
  database.read(async em => {
    const rows = await em.execute<{ id: number }[]>('select id from conformance_shelf order by id');
    return rows.map(({ id }) => id);
  });

export const migrating: readonly Requirement[] = [
  {
    name: 'applies a migration once, and returns its name',
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
    name: 'stores none of the migrations in one transaction when one of them fails, and reports it',
    requires: 'transactional-ddl',
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
  {
    name: 'runs and undoes each migration in a transaction or outside of one, as the migration wants, in order',
    async check({ open }) {
      const [database] = await open(1, modelsOf(...shelves));
      await database.connect();
      deepEqual(await database.migrate(), shelfNames);
      deepEqual(await appliedIn(database), shelfNames);
      deepEqual(await database.migrate(), []);
      for (const last of [...shelfNames].reverse()) equal(await database.revert(), last);
      equal(await database.revert(), undefined);
      deepEqual(await database.migrate({ to: 'IndexShelves' }), ['CreateShelves', 'IndexShelves']);
      equal(database.stats().busy, 0);
    },
  },
  {
    name: 'runs each migration once, in a transaction or outside of one, for several instances at the same time',
    requires: 'multi-connection',
    async check({ open }) {
      const databases = await open(3, modelsOf(...shelves));
      await Promise.all(databases.map(database => database.connect()));
      const applied = await Promise.all(databases.map(database => database.migrate()));
      deepEqual(applied.flat().sort(), shelfNames);
    },
  },
  {
    name: 'says what is stored when a migration fails half-way outside of a transaction',
    async check({ open }) {
      const [database] = await open(1, modelsOf(...shelves, FailHalfWay));
      await database.connect();
      const error = await rejection(database.migrate());
      ok(isKeelsonError(error, 'DATABASE_MIGRATION_FAILED'));
      ok(!error.message.includes('nothing of'), error.message);
      ok(error.message.startsWith('The migration FailHalfWay failed at its statement 2 of 3'), error.message);
      deepEqual(error.facts.done, shelfNames);
      deepEqual(await shelvesIn(database), [1]);
      deepEqual(await appliedIn(database), shelfNames);
      equal(database.stats().busy, 0);
    },
  },
  {
    name: 'says what is stored when a migration commits by hand',
    requires: 'transactional-ddl',
    async check({ open }) {
      const [database] = await open(1, modelsOf(CreateShelves, CommitByHand));
      await database.connect();
      const error = await rejection(database.migrate());
      ok(isKeelsonError(error, 'DATABASE_MIGRATION_FAILED'));
      // A server without ids cannot report the outcome of the transaction.
      const { capabilities } = database;
      const isKnown = capabilities.has('commit-lookup') || !capabilities.has('multi-connection');
      const says = isKnown ? ': it ended its transaction itself' : ', and it is unknown whether it is stored';
      ok(error.message.startsWith(`The migration CommitByHand failed${says}`), error.message);
      deepEqual(await shelvesIn(database), [3]);
      deepEqual(await appliedIn(database), ['CreateShelves']);
    },
  },
  {
    name: 'suggests isTransactional when a statement is not allowed in a transaction',
    requires: 'transactional-ddl',
    async check({ open }) {
      const [database] = await open(1, modelsOf(CreateShelves, ConcurrentlyInTransaction));
      await database.connect();
      const error = await rejection(database.migrate());
      ok(isKeelsonError(error, 'DATABASE_MIGRATION_FAILED'));
      ok(error.hint?.includes('isTransactional'), error.hint);
      deepEqual(await appliedIn(database), []);
    },
  },
  {
    name: 'refuses two migrations of one name before anything is done',
    async check({ open }) {
      const [database] = await open(1, modelsOf(CreateShelves, CreateShelves));
      await database.connect();
      const error = await rejection(database.migrate());
      ok(isKeelsonError(error, 'DATABASE_MIGRATION_FAILED'));
      deepEqual(await appliedIn(database), []);
    },
  },
];
