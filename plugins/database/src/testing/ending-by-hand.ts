import { deepEqual, equal, match } from 'node:assert/strict';
import type { EntityManager } from '../orm/entity-manager.js';
import type { DatabaseSession } from '../session/database-session.js';
import { addAccount, rejection, rejectsWith, storedEmails } from './checks.js';
import type { Requirement } from './harness.js';

/** A comment inside a comment: only the server sees the command behind it. */
const hidden = '/* /* */ */';

const refused: readonly (readonly [statement: string, by: string])[] = [
  ['commit', 'COMMIT'],
  ['  -- done\n/* really */ ;Commit work', 'COMMIT'],
  ['commit and chain', 'COMMIT'],
  ['end', 'END'],
  ['rollback', 'ROLLBACK'],
  ['rollback and chain', 'ROLLBACK'],
  ['abort', 'ABORT'],
  ['begin', 'BEGIN'],
  ['start transaction', 'START TRANSACTION'],
  ["prepare transaction 'x'", 'PREPARE TRANSACTION'],
  ['savepoint own', 'SAVEPOINT'],
  ['release savepoint own', 'RELEASE'],
  ['rollback to own', 'ROLLBACK TO'],
  ['/* ; */ rollback  work to savepoint own', 'ROLLBACK TO'],
];

const noticed: readonly (readonly [statement: string, by: string, stored: string, isStored: boolean])[] = [
  ['commit', 'COMMIT', 'all before it', true],
  ['commit and chain', 'COMMIT', 'all before it', true],
  ['rollback', 'ROLLBACK', 'nothing', false],
  ['rollback and chain', 'ROLLBACK', 'nothing', false],
  ['begin', 'BEGIN', 'nothing', false],
  ['savepoint own', 'SAVEPOINT', 'nothing', false],
];

export const endingByHand: readonly Requirement[] = [
  {
    name: 'refuses a statement that would begin or end the transaction, and stores nothing of the session',
    async check({ database }) {
      for (const [statement, by] of refused) {
        const attempts: number[] = [];
        let later: unknown;
        const unit = database.session(async (em, { attempt }) => {
          attempts.push(attempt);
          await addAccount(em, 'before');
          await rejection(em.execute(statement));
          later = await rejection(addAccount(em, 'after'));
          throw new Error('of the work');
        });
        const error = await rejectsWith(unit, 'DATABASE_TRANSACTION_BY_HAND');
        equal(later, error);
        deepEqual([error.facts.by, error.facts.stored, attempts], [by, 'nothing', [1]]);
      }
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'ends a session when a hidden statement has ended its transaction, and says what is stored',
    async check({ database }) {
      for (const [statement, by, stored, isStored] of noticed) {
        const told: string[] = [];
        const attempts: number[] = [];
        const unit = database.session(async (em, session) => {
          attempts.push(session.attempt);
          session.onCommit(() => void told.push('committed'));
          session.onRollback(() => void told.push('rolled back'));
          await addAccount(em, `before ${statement}`);
          await rejection(em.execute(`${hidden} ${statement}`));
          await rejection(addAccount(em, 'after'));
        });
        const { facts } = await rejectsWith(unit, 'DATABASE_TRANSACTION_BY_HAND');
        deepEqual([facts.by, facts.stored, attempts, told], [by, stored, [1], isStored ? [] : ['rolled back']]);
      }
      deepEqual(await storedEmails(database), ['before commit', 'before commit and chain']);
    },
  },
  {
    name: 'refuses to let a read-only session write, since no caller waits for its COMMIT',
    requires: 'session-state',
    async check({ database }) {
      const commands = [
        'set transaction read write',
        'set transaction isolation level serializable, read write',
        'SET LOCAL transaction_read_only = off',
        'set transaction_read_only to off',
        "select set_config('transaction_read_only', 'off', true)",
      ];
      for (const command of commands) {
        const unit = database.read(async em => {
          await em.execute(command);
          await addAccount(em, command);
        });
        const { facts } = await rejectsWith(unit, 'DATABASE_TRANSACTION_BY_HAND');
        deepEqual([facts.by, facts.stored], ['SET TRANSACTION READ WRITE', 'nothing']);
      }
      await database.read(em => em.execute("select current_setting('transaction_read_only')"));
      await database.session(em => em.execute('set transaction read write'));
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'refuses to let MikroORM begin, commit or roll back the transaction of a session',
    async check({ database }) {
      const works: readonly ((em: EntityManager, session: DatabaseSession) => Promise<unknown>)[] = [
        em => em.commit(),
        em => em.rollback(),
        em => em.begin(),
        em => em.begin({ ctx: em.getTransactionContext() }),
        em => em.fork().begin(),
        em => em.fork({ keepTransactionContext: true }).begin({ ctx: em.getTransactionContext() }),
      ];
      for (const work of works) {
        await rejection(
          database.session(async (em, session) => {
            await addAccount(em, 'before');
            await work(em, session);
          }),
        );
        await rejectsWith(
          database.session(async (em, session) => {
            await rejection(work(em, session));
            await rejection(addAccount(em, 'after'));
          }),
          'DATABASE_TRANSACTION_BY_HAND',
        );
      }
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'says for each refusal what to write instead',
    async check({ database }) {
      const hints: readonly (readonly [by: string, hint: RegExp, work: (em: EntityManager) => Promise<unknown>])[] = [
        ['em.begin()', /session begins/, em => em.begin()],
        ['em.commit()', /Let the work resolve/, em => em.commit()],
        ['em.rollback()', /Throw from the work/, em => em.rollback()],
        ['BEGIN', /session begins/, em => em.execute('begin')],
        ['COMMIT', /Let the work resolve/, em => em.execute('commit')],
        ['END', /Let the work resolve/, em => em.execute('end')],
        ['ROLLBACK', /Throw from the work/, em => em.execute('rollback')],
        ['ROLLBACK TO', /Use database\.transaction/, em => em.execute('rollback to own')],
        ['SAVEPOINT', /Use database\.transaction/, em => em.execute('savepoint own')],
      ];
      for (const [by, hint, work] of hints) {
        const unit = database.session(async em => void (await work(em)));
        const error = await rejectsWith(unit, 'DATABASE_TRANSACTION_BY_HAND');
        equal(error.facts.by, by);
        match(error.hint ?? '', hint);
      }
    },
  },
  {
    name: 'refuses several statements in one text, and runs none of them',
    async check({ database }) {
      const insert = (email: string) => `insert into conformance_account (email) values ('${email}')`;
      for (const text of [`${insert('a')}; commit; ${insert('b')}`, `${insert('a')}; ${insert('b')}`]) {
        const unit = database.session(async em => void (await em.execute(text)));
        await rejectsWith(unit, 'DATABASE_SEVERAL_STATEMENTS');
      }
      await database.session(async em => {
        await em.execute(`${insert('one; alone')};`);
        await em.execute(`do $$ begin ${insert('first')}; ${insert('second')}; end $$`);
      });
      deepEqual(await storedEmails(database), ['first', 'one; alone', 'second']);
    },
  },
  {
    name: 'still lets the owner of an opened session commit it and roll it back',
    async check({ database }) {
      await using kept = await database.openSession();
      await addAccount(kept.em, 'kept');
      await kept.commit();
      await using dropped = await database.openSession();
      await addAccount(dropped.em, 'dropped');
      await dropped.rollback();
      equal(dropped.state, 'rolled back');
      deepEqual(await storedEmails(database), ['kept']);
    },
  },
];
