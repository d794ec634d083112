import { deepEqual, equal } from 'node:assert/strict';
import type { EntityManager } from '../orm/entity-manager.js';
import type { DatabaseSession } from '../session/database-session.js';
import { addAccount, rejection, rejectsWith, storedEmails } from './checks.js';
import { Account } from './conformance-model.js';
import type { Requirement } from './harness.js';

const refused = new Error('refused by the work');

/** Runs jobs of any caller, one after the other, from the moment it is started. */
function jobQueue() {
  const jobs: (() => Promise<void>)[] = [];
  let wake = () => {};
  return {
    add(job: () => Promise<void>): Promise<void> {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      jobs.push(() => job().then(resolve, reject));
      wake();
      return promise;
    },
    async start(): Promise<void> {
      for (;;) {
        const job = jobs.shift();
        if (job !== undefined) await job();
        else
          await new Promise<void>(resolve => {
            wake = resolve;
          });
      }
    },
  };
}

export const outside: readonly Requirement[] = [
  {
    name: 'stores the job of another caller when its queue was started with outside() in a session that fails',
    async check({ database }) {
      const queue = jobQueue();
      const { promise: added, resolve: hasAdded } = Promise.withResolvers<void>();
      const first = database.session(async em => {
        await addAccount(em, 'first');
        database.outside(() => void queue.start());
        await added;
        throw refused;
      });
      const job = queue.add(() => database.session(em => addAccount(em, 'job')));
      hasAdded();
      equal(await rejection(first), refused);
      await job;
      deepEqual(await storedEmails(database), ['job']);
    },
  },
  {
    name: 'has no current session inside outside(), and its own again afterwards',
    async check({ database }) {
      const seen = await database.session(async (_, session) => {
        const outer = database.outside(() => database.currentSession());
        return [outer, database.currentSession()?.id === session.id];
      });
      deepEqual(seen, [undefined, true]);
    },
  },
  {
    name: 'runs onCommit callbacks outside of every session, also when a session is around them',
    requires: 'multi-connection',
    async check({ database }) {
      const work = database.session(async em => {
        await addAccount(em, 'outer');
        await database.session(
          async (_, separate) => {
            separate.onCommit(() => database.session(inner => addAccount(inner, 'callback')));
          },
          { nested: 'separate' },
        );
        throw refused;
      });
      equal(await rejection(work), refused);
      deepEqual(await storedEmails(database), ['callback']);
    },
  },
  {
    name: 'calls the listeners for a change of state outside of every session',
    async check({ open }) {
      const [database] = await open();
      await database.connect();
      const seen: (DatabaseSession | undefined)[] = [];
      let disconnecting: Promise<void> | undefined;
      using _ = database.onStateChange(() => seen.push(database.currentSession()));
      await database.session(async () => {
        disconnecting = database.disconnect();
      });
      await disconnecting;
      deepEqual(seen, [undefined]);
    },
  },
  {
    name: 'does not commit while work that has joined the session still runs, and refuses that work',
    async check({ database }) {
      for (const how of ['commit', 'rollback'] as const) {
        const { promise: ended, resolve: end } = Promise.withResolvers<void>();
        const outer = await database.openSession();
        await addAccount(outer.em, 'outer');
        const late = async (em: EntityManager) => {
          await ended;
          em.create(Account, { email: 'late', balance: 0 });
        };
        const joined = outer.run(() => rejectsWith(database.session(late), 'DATABASE_SESSION_CLOSED'));
        if (how === 'commit') await rejectsWith(outer.commit(), 'DATABASE_CONCURRENT_USE');
        else await outer.rollback();
        end();
        await joined;
      }
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'opens a session of its own for work that is begun while the session around it is being committed',
    requires: 'multi-connection',
    async check({ database }) {
      const outer = await database.openSession();
      outer.em.create(Account, { email: 'outer', balance: 0 });
      let isSettled = false;
      const committing = outer.commit().finally(() => {
        isSettled = true;
      });
      // From each turn of the event loop on the way: none of them joins what can store it no more.
      const begun: Promise<unknown>[] = [];
      while (!isSettled) {
        const email = `own ${begun.length}`;
        begun.push(
          outer.run(() =>
            database
              .session(async em => void em.create(Account, { email, balance: 0 }))
              .then(
                () => email,
                () => undefined,
              ),
          ),
        );
        await new Promise(resolve => setImmediate(resolve));
      }
      await committing;
      const answered = (await Promise.all(begun)).filter(email => email !== undefined);
      deepEqual(await storedEmails(database), [...answered, 'outer'].toSorted());
    },
  },
];
