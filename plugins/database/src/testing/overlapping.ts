import { deepEqual, equal, ok } from 'node:assert/strict';
import type { DatabaseService } from '../database-service.js';
import type { EntityManager } from '../orm/entity-manager.js';
import { addAccount, rejection, rejectsWith, storedEmails } from './checks.js';
import type { Requirement } from './harness.js';
import { growOverlappingTree, plant } from './overlapping-trees.js';

const refused = new Error('refused by the work');

/** A nested session that has stored `email` and is still open, until it is let go or refused. */
async function openNested(database: DatabaseService, email: string) {
  const { promise: end, resolve, reject } = Promise.withResolvers<void>();
  const { promise: stored, resolve: hasStored } = Promise.withResolvers<void>();
  const outcome = database.transaction(async em => {
    await addAccount(em, email);
    hasStored();
    await end;
  });
  outcome.catch(() => {});
  await stored;
  return { outcome, resolve, fail: () => reject(refused) };
}

/** Work that another flow does in the same session, and that ends with a success. */
const neighbours: readonly {
  readonly name: string;
  run(database: DatabaseService, em: EntityManager): Promise<unknown>;
}[] = [
  { name: 'a nested session', run: database => database.transaction(inner => addAccount(inner, 'beside')) },
  { name: 'a statement of the session', run: (_, em) => addAccount(em, 'beside') },
  { name: 'a joined session', run: database => database.session(inner => addAccount(inner, 'beside')) },
  { name: 'em.transactional', run: (_, em) => em.transactional(inner => addAccount(inner, 'beside')) },
  {
    name: 'a batch',
    run: database => database.batch(['beside'], async (inner, [email = '']) => addAccount(inner, email)),
  },
];

export const overlapping: readonly Requirement[] = [
  ...neighbours.map(({ name, run }) => ({
    name: `does not commit when a nested session that failed has undone the work of another flow: ${name}`,
    async check({ database }: { database: DatabaseService }) {
      const work = database.session(async em => {
        const failing = await openNested(database, 'failing');
        await run(database, em);
        failing.fail();
        equal(await rejection(failing.outcome), refused);
        await rejectsWith(addAccount(em, 'after'), 'DATABASE_WORK_UNDONE');
      });
      await rejectsWith(work, 'DATABASE_WORK_UNDONE');
      deepEqual(await storedEmails(database), []);
    },
  })),
  {
    name: 'stores what nested sessions of several flows did at the same time, whichever ends first',
    async check({ database }) {
      await database.session(async em => {
        const first = await openNested(database, 'first');
        const second = await openNested(database, 'second');
        await addAccount(em, 'outer');
        first.resolve();
        await first.outcome;
        const third = await openNested(database, 'third');
        third.resolve();
        await third.outcome;
        second.resolve();
        await second.outcome;
      });
      deepEqual(await storedEmails(database), ['first', 'outer', 'second', 'third']);
    },
  },
  {
    name: 'undoes only the failed one of two nested sessions when it began second and the other ended before it',
    async check({ database }) {
      await database.session(async () => {
        const first = await openNested(database, 'first');
        const second = await openNested(database, 'second');
        first.resolve();
        await first.outcome;
        second.fail();
        equal(await rejection(second.outcome), refused);
      });
      deepEqual(await storedEmails(database), ['first']);
    },
  },
  {
    name: 'rejects an open nested session that another flow has undone, and the session goes on',
    async check({ database }) {
      await database.session(async em => {
        await addAccount(em, 'before');
        const failing = await openNested(database, 'failing');
        const undone = await openNested(database, 'undone');
        failing.fail();
        equal(await rejection(failing.outcome), refused);
        undone.resolve();
        await rejectsWith(undone.outcome, 'DATABASE_WORK_UNDONE');
        await addAccount(em, 'after');
      });
      deepEqual(await storedEmails(database), ['after', 'before']);
    },
  },
  {
    name: 'undoes a nested session that fails while a statement of another flow runs',
    async check({ database }) {
      const work = database.session(async em => {
        const failing = await openNested(database, 'failing');
        const running = em.execute('select pg_sleep(0.05)');
        failing.fail();
        equal(await rejection(failing.outcome), refused);
        await running;
      });
      await rejectsWith(work, 'DATABASE_WORK_UNDONE');
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'refuses late statements of a nested session that was rolled back, and the session goes on',
    async check({ database }) {
      await database.session(async em => {
        const { promise: ended, resolve: end } = Promise.withResolvers<void>();
        let late: Promise<unknown> | undefined;
        const failing = database.transaction(async inner => {
          late = rejectsWith(
            ended.then(() => addAccount(inner, 'late')),
            'DATABASE_SESSION_CLOSED',
          );
          await addAccount(inner, 'failing');
          throw refused;
        });
        equal(await rejection(failing), refused);
        end();
        await late;
        await addAccount(em, 'after');
      });
      deepEqual(await storedEmails(database), ['after']);
    },
  },
  {
    name: 'does not commit while a nested session is open, as a commit would end its savepoint',
    async check({ database }) {
      let open: Awaited<ReturnType<typeof openNested>> | undefined;
      const work = database.session(async () => {
        open = await openNested(database, 'open');
      });
      await rejectsWith(work, 'DATABASE_CONCURRENT_USE');
      open?.resolve();
      await rejection(open?.outcome ?? Promise.resolve());
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'stores exactly the work that resolved, in random trees of overlapping work',
    async check({ database }) {
      const seen = { committed: 0, undone: 0 };
      for (let seed = 1; seed <= 60; seed++) {
        const { stored, error } = await plant(database, growOverlappingTree(seed), `${seed}`);
        const found = (await storedEmails(database)).filter(email => email.startsWith(`${seed}-`));
        deepEqual(found, stored, `tree ${seed}, which ended with ${String(error)}`);
        if (error === undefined) seen.committed += 1;
        else if (String(Reflect.get(Object(error), 'code')) === 'DATABASE_WORK_UNDONE') seen.undone += 1;
      }
      ok(seen.committed > 5 && seen.undone > 5, `of both kinds there are enough: ${JSON.stringify(seen)}`);
    },
  },
];
