import { deepEqual, equal } from 'node:assert/strict';
import { IsolationLevel } from '@mikro-orm/core';
import type { DatabaseService } from '../database-service.js';
import type { EntityManager } from '../orm/entity-manager.js';
import type { SessionOptions } from '../session/database-session.js';
import { addAccount, rejection, rejectsWith, storedEmails, untilAborted } from './checks.js';
import type { Requirement } from './harness.js';

const conflict = "do $$ begin raise exception 'undone' using errcode = '40001'; end $$";

const nestings = ['join', 'savepoint'] as const;

/** Options that the transaction of a session without any does not have. */
const unfit: readonly (readonly [options: SessionOptions, named: string])[] = [
  [{ isolation: 'serializable' }, 'isolation'],
  [{ deferrable: true }, 'deferrable'],
  [{ statementTimeoutMs: 50, lockTimeoutMs: 50 }, 'statementTimeoutMs, lockTimeoutMs'],
  [{ idleTimeoutMs: 50 }, 'idleTimeoutMs'],
  [{ verifyCommitted: () => Promise.resolve(true) }, 'verifyCommitted'],
];

/** What a session inside one with the options `outer` gives, given the options `inner`. */
function inside(database: DatabaseService, outer: SessionOptions, inner: SessionOptions): Promise<string> {
  return database.session(async em => {
    await em.execute('select 1');
    return database.session(async () => 'ran', inner);
  }, outer);
}

export const nestedOptions: readonly Requirement[] = [
  {
    name: 'refuses a nested session that asks for another transaction, before its work runs',
    async check({ database }) {
      for (const nested of nestings) {
        for (const [options, named] of unfit) {
          const error = await rejectsWith(inside(database, {}, { ...options, nested }), 'DATABASE_NESTED_OPTIONS');
          equal(error.facts.options, named);
        }
        const fresh = inside(database, { readOnly: true }, { fresh: true, nested });
        equal((await rejectsWith(fresh, 'DATABASE_NESTED_OPTIONS')).facts.options, 'fresh');
      }
    },
  },
  {
    name: 'runs a session inside another when it asks for nothing that the open transaction lacks',
    requires: ['savepoints', 'server-timeouts'],
    async check({ database }) {
      const serializable = { isolation: 'serializable', lockTimeoutMs: 500 } as const;
      for (const nested of nestings) {
        equal(await inside(database, serializable, { ...serializable, nested }), 'ran');
        equal(await inside(database, {}, { isolation: 'read committed', fresh: true, nested }), 'ran');
        equal(await inside(database, {}, { readOnly: true, nested }), 'ran');
      }
    },
  },
  {
    name: 'refuses em.transactional with another isolation level, or read-only, and the session goes on',
    requires: 'savepoints',
    async check({ database }) {
      await database.session(async em => {
        for (const options of [{ isolationLevel: IsolationLevel.SERIALIZABLE }, { readOnly: true }]) {
          await rejectsWith(
            em.transactional(inner => addAccount(inner, 'refused'), options),
            'DATABASE_NESTED_OPTIONS',
          );
        }
        await em.transactional(inner => addAccount(inner, 'stored'), { isolationLevel: IsolationLevel.READ_COMMITTED });
      });
      deepEqual(await storedEmails(database), ['stored']);
    },
  },
  {
    name: 'does not run a unit again when a session inside it forbids a repeat',
    requires: 'savepoints',
    async check({ database }) {
      for (const nested of nestings) {
        let runs = 0;
        const unit = database.session(async em => {
          await database.session(
            async () => {
              runs += 1;
            },
            { retry: 'never', nested },
          );
          await em.execute(conflict);
        });
        const { facts } = await rejectsWith(unit, 'DATABASE_QUERY_FAILED');
        deepEqual([runs, facts.notRepeated], [1, "safe to repeat, but a session inside it said { retry: 'never' }"]);
      }
    },
  },
  {
    name: 'does not begin the work of a nested session whose signal has already aborted',
    async check({ database }) {
      for (const nested of nestings) {
        let runs = 0;
        const unit = database.session(() =>
          database.session(
            async () => {
              runs += 1;
            },
            { nested, signal: AbortSignal.abort(new Error('gone')) },
          ),
        );
        await rejectsWith(unit, 'DATABASE_SESSION_ABORTED');
        equal(runs, 0);
      }
    },
  },
  {
    name: 'ends the whole session when the time of one inside it is over, or its signal aborts',
    requires: 'savepoints',
    async check({ database }) {
      const works = [
        (em: EntityManager) => em.execute('select pg_sleep(0.5)'),
        (_em: EntityManager, { signal }: { signal: AbortSignal }) => untilAborted(signal),
        () => new Promise<void>(() => {}),
      ];
      for (const nested of nestings) {
        for (const work of works) {
          for (const limits of [{ timeoutMs: 50 }, { signal: AbortSignal.timeout(50) }]) {
            let thrown: unknown;
            const unit = database.session(async em => {
              await addAccount(em, 'undone');
              const part = database.session(async (inner, session) => void (await work(inner, session)), {
                name: 'part',
                nested,
                ...limits,
              });
              thrown = await rejection(part);
              throw thrown;
            });
            const error = await rejectsWith(unit, 'DATABASE_SESSION_ABORTED');
            deepEqual([error.facts.name, error], ['part', thrown]);
          }
        }
      }
      deepEqual(await storedEmails(database), []);
    },
  },
];
