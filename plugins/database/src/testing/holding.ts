import { deepEqual, equal } from 'node:assert/strict';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { sql } from 'kysely';
import type { DatabaseService } from '../database-service.js';
import type { DatabaseModel } from '../model.js';
import type { EntityManager } from '../orm/entity-manager.js';
import { addAccount, rejection, rejectsWith, storedEmails } from './checks.js';
import { Account } from './conformance-model.js';
import type { Requirement } from './harness.js';

const Keeper = defineEntity({
  name: 'ConformanceKeeper',
  tableName: 'conformance_keeper',
  properties: {
    id: p.integer().primary(),
    json: p.json<object>().nullable(),
    texts: p.array().nullable(),
    bytes: p.array().columnType('bytea[]').$type<Buffer[]>().nullable(),
    amount: p.decimal().precision(5).scale(2).nullable(),
  },
});

class CreateKeeper extends Migration {
  override async up(): Promise<void> {
    this.addSql(`create table conformance_keeper (
      id serial primary key, json jsonb, texts text[], bytes bytea[], amount numeric(5, 2))`);
  }
}

const keeperModel: DatabaseModel = { entities: [Keeper], migrations: [CreateKeeper] };

type Work = (em: EntityManager) => unknown;

const flushing =
  (values: { json?: object; texts?: string[]; amount?: string }): Work =>
  em =>
    em.persist(em.create(Keeper, values)).flush();

/** What PostgreSQL cannot hold, on the ways in which it may come. */
const unstorable: readonly (readonly [what: string, work: Work])[] = [
  ['a NUL in a parameter', em => em.execute('select ?', ['a\0b'])],
  ['a NUL in a parameter of Kysely', em => sql`select ${'a\0b'}`.execute(em.getKysely())],
  ['a NUL in an array of Kysely', em => sql`select ${['a\0b']}::text[]`.execute(em.getKysely())],
  ['a NUL in an identifier', em => em.execute('select "a\0b"')],
  ['a NUL in a condition', em => em.find(Account, { email: 'a\0b' })],
  ['a NUL that is flushed', em => em.persist(em.create(Account, { email: 'a\0b' })).flush()],
  ['a NUL in an array that is flushed', flushing({ texts: ['fine', 'a\0b'] })],
  ['a NUL in JSON', flushing({ json: { deep: ['a\0b'] } })],
  ['half of a surrogate pair', em => em.persist(em.create(Account, { email: 'a\ud800b' })).flush()],
  ['half of a surrogate pair in a parameter of Kysely', em => sql`select ${'\udc00'}`.execute(em.getKysely())],
  ['half of a surrogate pair in JSON', flushing({ json: { deep: '\ud800' } })],
  ['an invalid date in a parameter of Kysely', em => sql`select ${new Date('no')}::date`.execute(em.getKysely())],
  ['an integer that is too large', em => em.execute('select 1 where 1 = ?::int', ['99999999999'])],
  ['a number where an integer is wanted', em => em.execute('select ?::text::int', ['NaN'])],
  ['a numeric that is too large', flushing({ amount: '123456.78' })],
  ['a date out of range', em => em.execute('select ?::timestamptz', ['+294277-01-01'])],
];

/** Runs `work` in a session that may be repeated; how often it ran. */
async function countRuns(database: DatabaseService, work: Work): Promise<{ error: Error; runs: number }> {
  let runs = 0;
  const run = database.session(async em => {
    runs += 1;
    await work(em);
  });
  return { error: await rejectsWith(run, 'DATABASE_QUERY_FAILED'), runs };
}

function raise(sqlState: string): string {
  return `do $$ begin raise exception 'on purpose' using errcode = '${sqlState}'; end $$`;
}

export const holding: readonly Requirement[] = [
  {
    name: 'refuses a value that PostgreSQL cannot store: one attempt, and no effect on other callers',
    requires: 'transactional-ddl',
    async check({ open }) {
      const [service] = await open(1, [{ entities: [Account] }, keeperModel]);
      await service.connect();
      await service.migrate();
      await service.session(em => em.execute('create table conformance_account (id serial, email text, balance int)'));
      for (const [what, work] of unstorable) {
        for (let time = 0; time < 5; time++) {
          const { error, runs } = await countRuns(service, work);
          deepEqual({ what, runs, ...about(error) }, { what, runs: 1, kind: 'invalid-value', status: 422 });
        }
      }
      equal(await service.read(em => em.count(Account)), 0);
      equal(service.state.is, 'connected');
    },
  },
  {
    name: 'counts every answer of the server as a sign that it is up, whatever its code',
    async check({ database }) {
      for (const sqlState of ['08P01', '08006', '28000', '3D000', '53200', '53300', '57P01', '58030', 'XX000']) {
        for (let time = 0; time < 5; time++) {
          const { runs } = await countRuns(database, em => em.execute(raise(sqlState)));
          deepEqual({ sqlState, runs }, { sqlState, runs: 1 });
        }
      }
      await database.session(em => addAccount(em, 'of another caller'));
      deepEqual(await storedEmails(database), ['of another caller']);
    },
  },
  {
    name: 'goes on in a session after a value was refused in a savepoint',
    async check({ database }) {
      await database.session(async em => {
        await addAccount(em, 'before');
        await rejection(em.transactional(inner => addAccount(inner, 'a\0b')));
        await addAccount(em, 'after');
      });
      deepEqual(await storedEmails(database), ['after', 'before']);
    },
  },
  {
    name: 'stores whole arrays: bytes, line breaks, outer spaces, and the text "null"',
    async check({ open }) {
      const [service] = await open(1, [keeperModel]);
      await service.connect();
      await service.migrate();
      const texts = ['', ' a ', 'line\nbreak', 'null', 'NULL', 'quote "', 'back \\ slash', '{a,b}', '\u{1f600}'];
      const bytes = [Buffer.from([0, 255, 39, 92, 34]), Buffer.alloc(0), Buffer.from('text')];
      await service.session(async em => void em.persist(em.create(Keeper, { texts, bytes })));
      const [stored] = await service.read(em =>
        em.execute<{ texts: string[]; bytes: string[] }[]>(
          `select texts, (select array_agg(encode(b, 'hex') order by n) from unnest(bytes) with ordinality u(b, n)) as bytes
           from conformance_keeper`,
        ),
      );
      deepEqual(stored, { texts, bytes: bytes.map(each => each.toString('hex')) });
    },
  },
  {
    name: 'leaves the connection usable when a value cannot be encoded for the server',
    async check({ database }) {
      const fault = new Error('of the caller');
      const unwritable = {
        toPostgres() {
          throw fault;
        },
      };
      const work = database.session(em => sql`select ${unwritable}`.execute(em.getKysely()));
      equal(await rejection(work), fault);
      await database.session(em => addAccount(em, 'of another caller'));
    },
  },
];

function about(error: Error): { kind: unknown; status: unknown } {
  const { kind, http } = error as { kind?: unknown; http?: { status?: unknown } };
  return { kind, status: http?.status };
}
