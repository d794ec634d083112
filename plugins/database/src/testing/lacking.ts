import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { Migration } from '@mikro-orm/migrations';
import type { DatabaseService } from '../database-service.js';
import type { DatabaseCapability } from '../driver/engine.js';
import { isolationLevels } from '../transaction/isolation-levels.js';
import { addAccount, rejectsWith, storedEmails } from './checks.js';
import { Account } from './conformance-model.js';
import type { Requirement } from './harness.js';

/** Refused by the name of what is lacking. */
async function refusedFor(capability: DatabaseCapability, work: Promise<unknown>): Promise<void> {
  equal((await rejectsWith(work, 'DATABASE_UNSUPPORTED')).facts.capability, capability);
}

class CreateShelfThenFail extends Migration {
  override up(): void {
    this.addSql('create table conformance_shelf (id integer)');
    this.addSql('insert into no_such_table values (1)');
  }
}

class CreateBoxes extends Migration {
  override up(): void {
    this.addSql('create table conformance_box (id integer)');
  }
}

const isThere = (database: DatabaseService, table: string) =>
  database.read(async em => {
    const [row] = await em.execute<[{ found: boolean }]>(`select to_regclass('${table}') is not null as found`);
    return row.found;
  });

/** What a database does in place of what it cannot do: another way to keep the promise, or a refusal by name. */
export const lacking: readonly Requirement[] = [
  {
    name: 'refuses a part that could fail alone where there are no savepoints, and the session goes on',
    lacks: 'savepoints',
    async check({ database }) {
      await database.session(async em => {
        let ran = false;
        const part = async () => {
          ran = true;
        };
        await refusedFor('savepoints', database.transaction(part));
        await addAccount(em, 'outer');
        await refusedFor('savepoints', database.transaction(part));
        await refusedFor('savepoints', em.transactional(part));
        equal(ran, false);
      });
      await database.transaction(em => addAccount(em, 'alone'));
      deepEqual(await storedEmails(database), ['alone', 'outer']);
    },
  },
  {
    name: 'stores a batch whole or not at all where there are no savepoints, and names the chunk that was refused',
    lacks: 'savepoints',
    async check({ database }) {
      const emails = (...names: string[]) => names.map(email => ({ email }));
      await database.bulkInsert(Account, emails('one', 'two'));
      const failing = database.bulkInsert(Account, emails('three', 'four', 'one'), { chunkSize: 2 });
      const { facts } = await rejectsWith(failing, 'DATABASE_QUERY_FAILED');
      deepEqual([facts.firstItem, facts.lastItem], [2, 2]);
      deepEqual(await storedEmails(database), ['one', 'two']);
    },
  },
  {
    name: 'refuses to read with a cursor where there is none, and the session goes on',
    lacks: 'stream',
    async check({ database }) {
      await database.session(async em => {
        const rows = em
          .getKysely<{ conformance_account: { id: number } }>()
          .selectFrom('conformance_account')
          .select('id');
        const reading = async () => {
          for await (const _ of rows.stream(1)) ok(false, 'a row was read');
        };
        await refusedFor('stream', reading());
        await addAccount(em, 'stored');
      });
      deepEqual(await storedEmails(database), ['stored']);
    },
  },
  {
    name: 'ends a session at its deadline where a statement cannot be cancelled, and does not lend its connection before',
    requires: 'multi-connection',
    lacks: 'cancel',
    async check({ database }) {
      const sleeping = database.session(em => em.execute('select pg_sleep(4)'), { timeoutMs: 100 });
      equal((await rejectsWith(sleeping, 'DATABASE_SESSION_ABORTED')).facts.reason, 'deadline');
      await database.session(em => addAccount(em, 'next'));
      deepEqual(await storedEmails(database), ['next']);
    },
  },
  {
    name: 'refuses a time limit that the server does not know, and ends the statement at the deadline of the session',
    requires: 'multi-connection',
    lacks: 'server-timeouts',
    async check({ database }) {
      const limits = [{ statementTimeoutMs: 50 }, { lockTimeoutMs: 50 }, { idleTimeoutMs: 50 }];
      for (const limit of limits)
        await refusedFor(
          'server-timeouts',
          database.session(() => Promise.resolve(), limit),
        );
      const sleeping = database.session(em => em.execute('select pg_sleep(60)'), { timeoutMs: 100 });
      await rejectsWith(sleeping, 'DATABASE_SESSION_ABORTED');
    },
  },
  {
    name: 'refuses DDL in a session where a rollback does not undo it, and the session goes on',
    lacks: 'transactional-ddl',
    async check({ database }) {
      await database.session(async em => {
        await refusedFor('transactional-ddl', em.execute('create table conformance_half (id integer)'));
        await addAccount(em, 'stored');
      });
      deepEqual(await storedEmails(database), ['stored']);
      equal(await isThere(database, 'conformance_half'), false);
    },
  },
  {
    name: 'applies each migration alone where a rollback does not undo DDL, and says what is stored of one that fails',
    lacks: 'transactional-ddl',
    async check({ open }) {
      const [database] = await open(1, [{ entities: [], migrations: [CreateBoxes, CreateShelfThenFail] }]);
      await database.connect();
      const error = await rejectsWith(database.migrate(), 'DATABASE_MIGRATION_FAILED');
      const { migration, done, statement, statements } = error.facts;
      deepEqual([migration, done, statement, statements], ['CreateShelfThenFail', ['CreateBoxes'], 2, 2]);
      match(error.message, /not recorded as applied/);
      deepEqual((await database.migrations()).pending, ['CreateShelfThenFail']);
      equal(await isThere(database, 'conformance_shelf'), true);
    },
  },
  {
    name: 'refuses an isolation level that the database does not have, before anything is sent, and names those that it has',
    async check({ database }) {
      const { isolationLevels: known } = database.engine;
      for (const isolation of isolationLevels) {
        const sql = `select current_setting('transaction_isolation') as level`;
        const work = database.session(em => em.execute<[{ level: string }]>(sql), { isolation });
        if (known.has(isolation)) equal((await work)[0].level, isolation);
        else equal((await rejectsWith(work, 'DATABASE_UNSUPPORTED')).facts.available, [...known].join(', '));
      }
    },
  },
];
