import { deepEqual, equal, ok } from 'node:assert/strict';
import { inspect } from 'node:util';
import { sql } from 'kysely';
import type { QueryErrorKind } from '../errors/query-error.js';
import type { EntityManager } from '../orm/entity-manager.js';
import { addAccount, rejection, rejectsWith, storedEmails } from './checks.js';
import { Account, Booking } from './conformance-model.js';
import type { Requirement } from './harness.js';

/** Stands for what a user typed: no error may carry it. */
const secret = 'a-value-of-a-user';

interface Refusal {
  readonly kind: QueryErrorKind;
  readonly sqlState: string;
  readonly names: Readonly<Record<string, string>>;
  /** The statement, and its parameter when it has one. */
  readonly statement: readonly [text: string, parameter?: string];
}

const table = 'conformance_account';
const refusals: readonly Refusal[] = [
  {
    kind: 'unique',
    sqlState: '23505',
    names: { table, constraint: 'conformance_account_email' },
    statement: [`insert into ${table} (email) values (`, secret],
  },
  {
    kind: 'foreign-key',
    sqlState: '23503',
    names: { table: 'conformance_booking', constraint: 'conformance_booking_account' },
    statement: ['insert into conformance_booking (account_id, reference) values (-1, ', secret],
  },
  {
    kind: 'not-null',
    sqlState: '23502',
    names: { table, column: 'email' },
    statement: [`insert into ${table} (email) select null where '' <> (`, secret],
  },
  {
    kind: 'check',
    sqlState: '23514',
    names: { table, constraint: 'conformance_account_balance' },
    statement: [`insert into ${table} (balance, email) values (-1, `, `${secret}-2`],
  },
  {
    kind: 'undefined-table',
    sqlState: '42P01',
    names: {},
    statement: ['select 1 from no_such_table where (1::text = ', secret],
  },
  {
    kind: 'undefined-column',
    sqlState: '42703',
    names: {},
    statement: [`select no_such_column from ${table} where (email = `, secret],
  },
  { kind: 'syntax', sqlState: '42601', names: {}, statement: ['selec (', secret] },
  {
    kind: 'invalid-value',
    sqlState: '22P02',
    names: {},
    statement: [`insert into ${table} (balance) values (`, secret],
  },
  { kind: 'serialization', sqlState: '40001', names: {}, statement: [raise('40001')] },
  { kind: 'other', sqlState: 'P0001', names: {}, statement: [raise('P0001')] },
];

function raise(sqlState: string): string {
  return `do $$ begin raise exception '${secret}' using errcode = '${sqlState}'; end $$`;
}

/** Through MikroORM, which wraps what the driver threw. */
function wrapped(em: EntityManager, [text, parameter]: Refusal['statement']): Promise<unknown> {
  return parameter === undefined ? em.execute(text) : em.execute(`${text}?)`, [parameter]);
}

/** Through Kysely, which does not. */
function raw(em: EntityManager, [text, parameter]: Refusal['statement']): Promise<unknown> {
  const query = parameter === undefined ? sql.raw(text) : sql`${sql.raw(text)}${parameter})`;
  return query.execute(em.getKysely());
}

export const refusing: readonly Requirement[] = [
  ...refusals.map(refusal => ({
    name: `reports the kind and the names of a refusal, through MikroORM and Kysely, without values or SQL: ${refusal.kind}`,
    async check({ database }: Parameters<Requirement['check']>[0]) {
      await database.session(em => addAccount(em, secret));
      for (const run of [wrapped, raw]) {
        const work = database.session(em => run(em, refusal.statement), { retry: 'never' });
        const error = await rejectsWith(work, 'DATABASE_QUERY_FAILED');
        const { kind, sqlState, ...names } = error.facts;
        deepEqual({ kind, sqlState }, { kind: refusal.kind, sqlState: refusal.sqlState });
        for (const [what, name] of Object.entries(refusal.names))
          equal(names[what], name, `the error names the ${what}`);
        saysNothingPrivate(error);
      }
      deepEqual(await storedEmails(database), [secret]);
    },
  })),
  {
    name: 'reports a refusal while flushing like any other',
    async check({ database }) {
      await database.session(em => addAccount(em, secret));
      const work = database.session(async em => {
        em.persist(em.create(Account, { email: secret }));
      });
      const error = await rejectsWith(work, 'DATABASE_QUERY_FAILED');
      equal(error.facts.kind, 'unique');
      equal(error.http?.status, 409);
      saysNothingPrivate(error);
    },
  },
  {
    name: 'reports a refusal that comes with COMMIT, and has rolled back by then',
    async check({ database }) {
      const reported: string[] = [];
      const work = database.session(async (em, session) => {
        session.onRollback(() => void reported.push(session.state));
        session.onCommit(() => void reported.push('committed'));
        const account = em.create(Account, { email: 'owner' });
        await em.persist(account).flush();
        for (const _ of [1, 2]) await em.insert(Booking, { accountId: account.id, reference: secret });
      });
      const error = await rejectsWith(work, 'DATABASE_QUERY_FAILED');
      deepEqual([error.facts.kind, error.facts.constraint], ['unique', 'conformance_booking_reference']);
      saysNothingPrivate(error);
      deepEqual(reported, ['rolled back']);
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'never commits after a statement failed, even when its error was swallowed',
    async check({ database }) {
      const work = database.session(async em => {
        await addAccount(em, 'before');
        await rejection(em.execute('select 1 from no_such_table'));
        await rejectsWith(addAccount(em, 'after'), 'DATABASE_TRANSACTION_FAILED');
      });
      await rejectsWith(work, 'DATABASE_TRANSACTION_FAILED');
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'never commits after the first statement of a session failed and its error was swallowed',
    async check({ database }) {
      for (const statement of ['selec 1', 'select 1 from no_such_table']) {
        const work = database.session(async em => void (await rejection(em.execute(statement))));
        await rejectsWith(work, 'DATABASE_TRANSACTION_FAILED');
      }
    },
  },
  {
    name: 'refuses an EntityManager whose session has ended',
    async check({ database }) {
      const em = await database.session(async given => {
        await addAccount(given, 'kept too long');
        return given;
      });
      await rejectsWith(addAccount(em, 'too late'), 'DATABASE_OUTSIDE_SESSION');
      deepEqual(await storedEmails(database), ['kept too long']);
    },
  },
  {
    name: 'refuses an EntityManager that belongs to no session',
    async check({ database }) {
      const fork = await database.session(async em => em.fork());
      await rejectsWith(fork.count(Account), 'DATABASE_OUTSIDE_SESSION');
    },
  },
  {
    name: 'refuses a second connection inside a session, which would work outside of its transaction',
    async check({ database }) {
      await database.session(async em => {
        await addAccount(em, 'inside');
        await rejectsWith(em.fork().count(Account), 'DATABASE_SECOND_CONNECTION');
      });
      deepEqual(await storedEmails(database), ['inside']);
    },
  },
  {
    name: 'runs the statements of two flows in one session one after the other',
    async check({ database }) {
      const texts = ['a', 'b', 'c'];
      const answers = await database.session(em =>
        Promise.all(texts.map(text => em.execute(`select '${text}' as text`))),
      );
      deepEqual(
        answers,
        texts.map(text => [{ text }]),
      );
    },
  },
  {
    name: 'lends a connection that knows nothing of the session before',
    async check({ database }) {
      await database.session(em => em.execute("select set_config('application_name', 'of the first', true)"));
      await rejection(database.session(em => em.execute('select 1 from no_such_table')));
      const [row] = await database.session(em =>
        em.execute(
          "select current_setting('application_name') as name, current_setting('transaction_read_only') as mode",
        ),
      );
      ok(row?.name !== 'of the first');
      equal(row?.mode, 'off');
    },
  },
  {
    name: 'refuses a COPY with rows of the client as a statement, and the session goes on',
    async check({ database }) {
      await database.session(async em => {
        for (const copy of [`copy ${table} from stdin`, `/* why */ COPY ${table} TO stdout;`])
          await rejectsWith(em.execute(copy), 'DATABASE_COPY_REFUSED');
        await em.execute(`insert into ${table} (email) values ('kept@example.org')`);
      });
      deepEqual(await storedEmails(database), ['kept@example.org']);
    },
  },
];

function saysNothingPrivate(error: Error): void {
  const everything = inspect(error, { depth: 20, showHidden: true });
  ok(!everything.includes(secret), `the error carries a value: ${everything}`);
  ok(!/insert into|select \(|no_such_column from/i.test(everything), `the error carries SQL: ${everything}`);
}
