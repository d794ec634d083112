import { deepEqual, equal, throws } from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Deadline, systemClock } from '@keelson/core';
import type { DatabaseService } from '../database-service.js';
import type { DatabaseSession } from '../session/database-session.js';
import { addAccount, eventually, isAtRest, rejection, rejectsWith, storedEmails, untilAborted } from './checks.js';
import type { Requirement } from './harness.js';

export const ending: readonly Requirement[] = [
  {
    name: 'ends a session at its deadline, and rolls it back',
    async check({ database }) {
      for (const end of [() => ({ timeoutMs: 100 }), () => ({ deadline: Deadline.after(100, systemClock) })]) {
        const work = database.session(async (em, session) => {
          await addAccount(em, 'late');
          await untilAborted(session.signal);
          await em.execute('select 1');
        }, end());
        const error = await rejectsWith(work, 'DATABASE_SESSION_ABORTED');
        equal(error.facts.reason, 'deadline');
      }
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'ends a session at its deadline while it runs many short statements',
    async check({ database }) {
      const work = database.session(
        async em => {
          for (let statements = 0; statements < 20_000; statements++) await em.execute('select 1');
        },
        { timeoutMs: 100 },
      );
      await rejectsWith(work, 'DATABASE_SESSION_ABORTED');
    },
  },
  {
    name: 'ends a session when its caller gives up, and rolls it back',
    async check({ database }) {
      const caller = new AbortController();
      const work = database.session(
        async (em, session) => {
          await addAccount(em, 'given up');
          caller.abort(new Error('gone away'));
          await untilAborted(session.signal);
          await em.execute('select 1');
        },
        { signal: caller.signal },
      );
      const error = await rejectsWith(work, 'DATABASE_SESSION_ABORTED');
      equal(error.facts.reason, 'signal');
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'commits nothing of a session that was over its time, even when the work resolves',
    async check({ database }) {
      const caller = new AbortController();
      const work = database.session(
        async em => {
          await addAccount(em, 'too late');
          caller.abort(new Error('gone away'));
        },
        { signal: caller.signal },
      );
      await rejectsWith(work, 'DATABASE_SESSION_ABORTED');
      await using session = await database.openSession({ timeoutMs: 100 });
      await addAccount(session.em, 'too late');
      await untilAborted(session.signal);
      await rejectsWith(session.commit(), 'DATABASE_SESSION_ABORTED');
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'takes the connection back at the deadline, even from work that never ends',
    async check({ database }) {
      const never = new Promise<void>(() => {});
      const endless = database.session(
        async em => {
          await addAccount(em, 'endless');
          await never;
        },
        { timeoutMs: 100 },
      );
      await rejectsWith(endless, 'DATABASE_SESSION_ABORTED');
      const caller = new AbortController();
      const session = await database.openSession({ signal: caller.signal });
      await addAccount(session.em, 'forgotten');
      caller.abort(new Error('gone away'));
      await isAtRest(database);
      await rejectsWith(session.em.execute('select 1'), 'DATABASE_SESSION_ABORTED');
      await rejectsWith(session.commit(), 'DATABASE_SESSION_ABORTED');
      equal(session.state, 'rolled back');
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'does not begin the work of a caller who has given up',
    async check({ database }) {
      let began = false;
      for (const reason of [new Error('gone away'), null, undefined]) {
        const work = database.session(
          async () => {
            began = true;
          },
          { signal: AbortSignal.abort(reason) },
        );
        await rejectsWith(work, 'DATABASE_SESSION_ABORTED');
      }
      equal(began, false);
    },
  },
  {
    name: 'ends a wait for a connection when the caller gives up',
    async check({ database }) {
      const { max } = database.stats();
      const sessions = await Promise.all(Array.from({ length: max }, () => database.openSession()));
      await Promise.all(sessions.map(session => session.em.execute('select 1')));
      const caller = new AbortController();
      const waiting = database.session(em => em.execute('select 1'), { signal: caller.signal });
      const outcome = rejectsWith(waiting, 'DATABASE_SESSION_ABORTED');
      await eventually(() => equal(database.stats().waiting, 1));
      caller.abort(new Error('gone away'));
      await outcome;
      equal(database.stats().waiting, 0);
      await Promise.all(sessions.map(session => session.rollback()));
    },
  },
  {
    name: 'cancels the running statement on the server when the caller gives up',
    requires: 'cancel',
    async check({ database }) {
      const mark = randomUUID();
      const caller = new AbortController();
      const sleeping = database.session(em => em.execute(`select pg_sleep(60) /* ${mark} */`), {
        signal: caller.signal,
      });
      const outcome = rejectsWith(sleeping, 'DATABASE_SESSION_ABORTED');
      await eventually(async () => equal(await runningOn(database, mark), 1));
      caller.abort(new Error('gone away'));
      await outcome;
      await eventually(async () => equal(await runningOn(database, mark), 0));
    },
  },
  {
    name: 'cancels the running statement on the server at the deadline',
    requires: 'cancel',
    async check({ database }) {
      const mark = randomUUID();
      const sleeping = database.session(em => em.execute(`select pg_sleep(60) /* ${mark} */`), { timeoutMs: 1_000 });
      const outcome = rejectsWith(sleeping, 'DATABASE_SESSION_ABORTED');
      await eventually(async () => equal(await runningOn(database, mark), 1));
      equal((await outcome).facts.reason, 'deadline');
      await eventually(async () => equal(await runningOn(database, mark), 0));
    },
  },
  {
    name: 'rolls back a session while its statement runs, and cancels the statement on the server',
    requires: 'cancel',
    async check({ database }) {
      const mark = randomUUID();
      const session = await database.openSession();
      const sleeping = session.em.execute(`select pg_sleep(60) /* ${mark} */`).catch(() => {});
      await eventually(async () => equal(await runningOn(database, mark), 1));
      await session.rollback();
      await sleeping;
      await eventually(async () => equal(await runningOn(database, mark), 0));
    },
  },
  {
    name: 'ends a statement that runs longer than the session allows',
    requires: 'server-timeouts',
    async check({ database }) {
      const work = database.session(em => em.execute('select pg_sleep(60)'), { statementTimeoutMs: 50 });
      equal((await rejectsWith(work, 'DATABASE_QUERY_FAILED')).facts.kind, 'statement-timeout');
    },
  },
  {
    name: 'ends a wait for a lock that lasts longer than the session allows',
    requires: 'server-timeouts',
    async check({ database }) {
      await using holder = await database.openSession();
      await holder.em.execute('lock table conformance_account');
      const work = database.session(em => addAccount(em, 'locked out'), { lockTimeoutMs: 50 });
      equal((await rejectsWith(work, 'DATABASE_QUERY_FAILED')).facts.kind, 'lock-timeout');
    },
  },
  {
    name: 'refuses onCommit and onRollback after the session has ended',
    async check({ database }) {
      const ended: DatabaseSession[] = [];
      const end = (fails: boolean) =>
        database.session(async (em, session) => {
          ended.push(session);
          await addAccount(em, 'kept');
          if (fails) throw new Error('refused by the work');
        });
      await end(false);
      await rejection(end(true));
      equal(ended.length, 2);
      for (const session of ended) {
        throws(() => session.onCommit(() => {}), { code: 'DATABASE_SESSION_CLOSED' });
        throws(() => session.onRollback(() => {}), { code: 'DATABASE_SESSION_CLOSED' });
      }
    },
  },
];

async function runningOn(database: DatabaseService, mark: string): Promise<unknown> {
  const [row] = await database.session(em =>
    em.execute(
      `select count(*)::int as running from pg_stat_activity
       where datname = current_database() and state = 'active' and query like '%${mark}%' and pid <> pg_backend_pid()`,
    ),
  );
  return row?.running;
}
