import { deepEqual, equal, ok } from 'node:assert/strict';
import type { EntityManager } from '../orm/entity-manager.js';
import { addAccount, meetingOf, rejection, rejectsWith, storedEmails } from './checks.js';
import { Account } from './conformance-model.js';
import type { Requirement } from './harness.js';

const undone = "do $$ begin raise exception 'undone' using errcode = '40001'; end $$";

export const retrying: readonly Requirement[] = [
  {
    name: 'runs the whole work again, on a fresh EntityManager, when the server has undone it',
    async check({ database }) {
      const ems: EntityManager[] = [];
      const reported: string[] = [];
      await database.session(async (em, session) => {
        ems.push(em);
        equal(session.attempt, ems.length);
        session.onCommit(() => void reported.push(`committed ${session.attempt}`));
        session.onRollback(() => void reported.push(`rolled back ${session.attempt}`));
        em.persist(em.create(Account, { email: `attempt ${session.attempt}` }));
        await em.flush();
        if (session.attempt === 1) await em.execute(undone);
      });
      equal(new Set(ems).size, 2);
      deepEqual(reported, ['rolled back 1', 'committed 2']);
      deepEqual(await storedEmails(database), ['attempt 2']);
    },
  },
  {
    name: 'runs work once when its options forbid a repeat',
    async check({ database }) {
      let runs = 0;
      const work = database.session(
        async em => {
          runs += 1;
          await em.execute(undone);
        },
        { retry: 'never' },
      );
      equal((await rejectsWith(work, 'DATABASE_QUERY_FAILED')).facts.kind, 'serialization');
      equal(runs, 1);
    },
  },
  {
    name: 'runs work once when its code or its data made it fail',
    async check({ database }) {
      await database.session(em => addAccount(em, 'there'));
      let runs = 0;
      const failing = async (em: EntityManager, how: () => Promise<void>) => {
        runs += 1;
        await em.execute('select 1');
        await how();
      };
      const mistake = new Error('a mistake');
      equal(await rejection(database.session(em => failing(em, () => Promise.reject(mistake)))), mistake);
      await rejection(database.session(em => failing(em, () => addAccount(em, 'there'))));
      equal(runs, 2);
    },
  },
  {
    name: 'never runs an opened session again',
    async check({ database }) {
      await using session = await database.openSession();
      await addAccount(session.em, 'once');
      await rejection(session.em.execute(undone));
      await rejectsWith(session.commit(), 'DATABASE_TRANSACTION_FAILED');
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'repeats one of two units that conflict, and stores both as if they had run one after the other',
    requires: 'multi-connection',
    async check({ database }) {
      const bothHaveRead = meetingOf(2);
      let runs = 0;
      const addNext = () =>
        database.session(
          async (em, session) => {
            runs += 1;
            const count = await em.count(Account);
            if (session.attempt === 1) await bothHaveRead();
            await addAccount(em, `account ${count + 1}`);
          },
          { isolation: 'serializable' },
        );
      await Promise.all([addNext(), addNext()]);
      ok(runs >= 3, `one of the two ran again (${runs} runs)`);
      deepEqual(await storedEmails(database), ['account 1', 'account 2']);
    },
  },
  {
    name: 'repeats a unit that the server ended to resolve a deadlock',
    requires: 'multi-connection',
    async check({ database }) {
      await database.session(async em => {
        for (const email of ['a', 'b']) await addAccount(em, email);
      });
      const bothHoldOne = meetingOf(2);
      let runs = 0;
      const transfer = (first: string, second: string) =>
        database.session(async (em, session) => {
          runs += 1;
          await em.execute('update conformance_account set balance = balance + 1 where email = ?', [first]);
          if (session.attempt === 1) await bothHoldOne();
          await em.execute('update conformance_account set balance = balance + 1 where email = ?', [second]);
        });
      await Promise.all([transfer('a', 'b'), transfer('b', 'a')]);
      ok(runs >= 3, `one of the two ran again (${runs} runs)`);
      const accounts = await database.read(em => em.findAll(Account));
      deepEqual(
        accounts.map(({ balance }) => balance),
        [2, 2],
      );
    },
  },
];
