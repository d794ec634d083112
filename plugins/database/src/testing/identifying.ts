import { deepEqual, equal, ok } from 'node:assert/strict';
import type { DatabaseService } from '../database-service.js';
import type { EntityManager } from '../orm/entity-manager.js';
import type { SessionOnDemand, SessionOptions } from '../session/database-session.js';
import type { SessionIdentity } from '../session/session-identity.js';
import { addAccount, rejection, rejectsWith, storedEmails } from './checks.js';
import { Account } from './conformance-model.js';
import type { Requirement } from './harness.js';

const of = (tenant: string, more: SessionOptions = {}): SessionOptions => ({
  session: { variables: { 'conformance.tenant': tenant } },
  ...more,
});

/** Empty when it is not set: PostgreSQL keeps the name of a variable, without a value, as long as the connection. */
async function tenantIn(em: EntityManager): Promise<string> {
  const [row] = await em.execute("select coalesce(current_setting('conformance.tenant', true), '') as tenant");
  return String(Reflect.get(Object(row), 'tenant'));
}

const tenantOf = (database: DatabaseService, options?: SessionOptions) => database.session(tenantIn, options);

/** What cannot be set, and what the error names. */
const unfit: readonly (readonly [SessionIdentity, string | undefined])[] = [
  [{ variables: { transaction_read_only: 'off' } }, 'transaction_read_only'],
  [{ variables: { session_authorization: 'secret' } }, 'session_authorization'],
  [{ variables: { ROLE: 'secret' } }, 'ROLE'],
  [{ variables: { statement_timeout: 'secret' } }, 'statement_timeout'],
  [{ variables: { timezone: 'secret' } }, 'timezone'],
  [{ variables: { 'keelson.secret': 'secret' } }, 'keelson.secret'],
  [{ variables: { "app.x', 'secret', true); --": 'secret' } }, "app.x', 'secret', true); --"],
  [{ variables: { 'app.a': 'secret', 'APP.A': 'secret' } }, 'APP.A'],
  [{ variables: { 'app.a': Number.NaN } }, 'app.a'],
  [{ variables: { 'app.a': Reflect.get({}, 'undefined') as string } }, 'app.a'],
  [{ role: '' }, undefined],
  [{ role: 'none' }, undefined],
];

export const identifying: readonly Requirement[] = [
  {
    name: 'sets the variables of a session for all of its statements, and for no statement of another',
    async check({ database }) {
      for (const readOnly of [false, true]) {
        const seen = await database.session(
          async em => [await tenantIn(em), await tenantIn(em), await database.transaction(tenantIn)],
          of('a', { readOnly }),
        );
        deepEqual(seen, ['a', 'a', 'a']);
        equal(await tenantOf(database, { readOnly }), '');
      }
      equal(await tenantOf(database, of('b')), 'b');
      equal(await tenantOf(database, { session: {} }), '');
    },
  },
  {
    name: 'keeps the variables of a session through a part that was undone, and drops them with a session that failed',
    async check({ database }) {
      const failing = async (em: EntityManager) => {
        await addAccount(em, 'undone');
        await em.execute('select 1 / 0');
      };
      const seen = await database.session(async em => {
        const error = await rejection(database.transaction(failing));
        return [error instanceof Error, await tenantIn(em)];
      }, of('a'));
      deepEqual(seen, [true, 'a']);
      await rejectsWith(database.session(failing, of('b')), 'DATABASE_QUERY_FAILED');
      equal(await tenantOf(database), '');
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'sets the variables again for each attempt of a unit',
    async check({ database }) {
      const seen: string[] = [];
      await database.session(async (em, { attempt }) => {
        seen.push(await tenantIn(em));
        if (attempt === 1) await em.execute("do $$ begin raise exception 'again' using errcode = '40001'; end $$");
      }, of('a'));
      deepEqual(seen, ['a', 'a']);
    },
  },
  {
    name: 'sets the variables before a stream, and drops them with it',
    requires: 'stream',
    async check({ database }) {
      await database.session(async em => {
        await addAccount(em, 'one');
        await addAccount(em, 'two');
      });
      const seen = await database.read(async em => {
        const rows: unknown[] = [];
        for await (const account of em.stream(Account, { where: { email: { $ne: '' } } })) {
          rows.push(account.email);
          break;
        }
        return [rows.length, await tenantIn(em)];
      }, of('a'));
      deepEqual(seen, [1, 'a']);
      equal(await tenantOf(database), '');
    },
  },
  {
    name: 'lets a session inside another have the same variables, and refuses others by their names',
    async check({ database }) {
      const outer: SessionOptions = { session: { variables: { 'conformance.tenant': 'a', 'conformance.user': 1 } } };
      for (const nested of ['join', 'savepoint'] as const) {
        const inside = (options: SessionOptions) =>
          database.session(() => database.session(tenantIn, { nested, ...options }), outer);
        equal(await inside({}), 'a');
        equal(await inside(of('a')), 'a');
        equal(await inside({ session: { variables: { 'conformance.USER': '1' } } }), 'a');
        const error = await rejectsWith(inside(of('b')), 'DATABASE_NESTED_OPTIONS');
        equal(error.facts.options, 'session.variables.conformance.tenant');
        const another = await rejectsWith(inside({ session: { role: 'nobody' } }), 'DATABASE_NESTED_OPTIONS');
        equal(another.facts.options, 'session.role');
      }
    },
  },
  {
    name: 'gives a separate session the variables of the session around it, unless it has its own',
    requires: 'multi-connection',
    async check({ database }) {
      const beside = (options: SessionOptions) =>
        database.session(async em => {
          await em.execute('select 1');
          return tenantOf(database, { nested: 'separate', ...options });
        }, of('a'));
      equal(await beside({}), 'a');
      equal(await beside(of('b')), 'b');
      equal(await beside({ session: {} }), '');
      await database.session(async em => {
        await em.execute('select 1');
        await using session = await database.openSession();
        equal(await tenantIn(session.em), 'a');
        equal(await database.outside(() => tenantOf(database)), '');
      }, of('a'));
    },
  },
  {
    name: 'gives work that outlives its session the variables of that session',
    async check({ database }) {
      const { promise: ended, resolve: end } = Promise.withResolvers<void>();
      const late = await database.session(async () => ({ work: ended.then(() => tenantOf(database)) }), of('a'));
      end();
      equal(await late.work, 'a');
    },
  },
  {
    name: 'calls the function for the variables of a session on demand at its first use, and opens no session when it throws',
    async check({ database }) {
      let tenant: string | undefined;
      const session: SessionOnDemand = await database.sessionOnDemand({}, () => {
        if (tenant === undefined) throw new RangeError('no tenant');
        return of(tenant);
      });
      ok((await rejection(session.run(() => tenantOf(database)))) instanceof RangeError);
      deepEqual([session.opened], [undefined]);
      tenant = 'a';
      equal(await session.run(() => tenantOf(database)), 'a');
      await session.open().rollback();
      session.close();
    },
  },
  {
    name: 'refuses variables that a session may not set, before anything is sent, and names no value',
    async check({ database }) {
      let runs = 0;
      for (const [session, variable] of unfit) {
        const unit = database.session(
          async () => {
            runs += 1;
          },
          { session },
        );
        const error = await rejectsWith(unit, 'DATABASE_IDENTITY_INVALID');
        equal(error.facts.variable, variable);
        if (variable?.includes('secret') !== true) ok(!JSON.stringify(error).includes('secret'));
      }
      equal(runs, 0);
    },
  },
  {
    name: 'names a role that the server refuses, and stores nothing',
    async check({ database }) {
      const unit = database.session(em => addAccount(em, 'refused'), {
        session: { role: 'no such role', variables: { 'conformance.tenant': 'secret' } },
      });
      const error = await rejectsWith(unit, 'DATABASE_IDENTITY_REFUSED');
      equal(error.facts.role, 'no such role');
      equal(error.facts.variables, 'conformance.tenant');
      ok(!`${JSON.stringify(error)} ${String(error.cause)}`.includes('secret'));
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'refuses em.setSessionContext and em.fork({ session }), naming the option of the session',
    async check({ database }) {
      const seen = await database.session(async em => {
        for (const set of [
          () => em.setSessionContext({ variables: { 'conformance.tenant': 'b' } }),
          () => em.clearSessionContext(),
          () => void em.fork({ session: { role: 'b' } }),
        ]) {
          const error = await rejectsWith((async () => set())(), 'DATABASE_IDENTITY_FIXED');
          ok(error.hint?.includes('{ session: { variables, role } }'));
        }
        deepEqual(em.getSessionContext()?.variables, { 'conformance.tenant': 'a' });
        return tenantIn(em);
      }, of('a'));
      equal(seen, 'a');
    },
  },
  {
    name: 'does not answer one tenant from what MikroORM caches for another',
    async check({ database }) {
      const read = (options: SessionOptions) =>
        database.read(em => em.find(Account, { email: 'cached' }, { cache: ['tenants', 60_000] }), options);
      equal((await read(of('a'))).length, 0);
      await database.session(em => addAccount(em, 'cached'));
      equal((await read(of('a'))).length, 0);
      equal((await read(of('b'))).length, 1);
    },
  },
];
