import { deepEqual } from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { type EventSubscriber, type InferEntity, raw, type TransactionEventArgs } from '@mikro-orm/core';
import type { DatabaseService } from '../database-service.js';
import type { EntityManager } from '../orm/entity-manager.js';
import { addAccount, rejectsWith } from './checks.js';
import { Account, Note, noteHooks } from './conformance-model.js';
import type { Requirement } from './harness.js';

type StoredNote = InferEntity<typeof Note>;

/** One way to change a note, and what is stored of it. */
interface Change {
  readonly what: string;
  readonly to: (note: StoredNote, value: string, em: EntityManager) => void;
  readonly read: (note: StoredNote) => unknown;
  readonly stored: (value: string) => unknown;
}

const emails = ['none', 'start', 'first', 'second'];

const changes: readonly Change[] = [
  {
    what: 'a text',
    to: (note, value) => {
      note.text = value;
    },
    read: note => note.text,
    stored: value => value,
  },
  {
    what: 'em.assign',
    to: (note, value, em) => void em.assign(note, { text: value }),
    read: note => note.text,
    stored: value => value,
  },
  {
    what: 'JSON, from inside',
    to: (note, value) => void note.details?.tags.push(value),
    read: note => note.details?.tags,
    stored: value => (value === 'first' ? ['first'] : ['first', 'second']),
  },
  {
    what: 'JSON',
    to: (note, value) => {
      note.details = { tags: [value] };
    },
    read: note => note.details?.tags,
    stored: value => [value],
  },
  {
    what: 'an embedded object',
    to: (note, value) => {
      if (note.place) note.place.city = value;
    },
    read: note => note.place?.city,
    stored: value => value,
  },
  {
    what: 'an embedded object in JSON',
    to: (note, value) => {
      if (note.home) note.home.city = value;
    },
    read: note => note.home?.city,
    stored: value => value,
  },
  {
    what: 'a relation',
    to: (note, value, em) => {
      note.account = em.getReference(Account, emails.indexOf(value));
    },
    read: note => note.account?.email,
    stored: value => value,
  },
  {
    what: 'a collection',
    to: (note, value, em) => void note.readers.set([em.getReference(Account, emails.indexOf(value))]),
    read: note => note.readers.getItems().map(({ email }) => email),
    stored: value => [value],
  },
];

async function addAccounts(database: DatabaseService): Promise<void> {
  await database.session(async em => {
    for (const email of emails.slice(1)) await addAccount(em, email);
  });
}

/** The id of a note as it is before it is changed. */
async function addNote(database: DatabaseService): Promise<number> {
  const place = { city: 'start', street: 'one' };
  const values = { text: 'start', details: { tags: [] }, place, home: place, account: 1, readers: [1] };
  const note = await database.session(async em => em.create(Note, values));
  return note.id;
}

function loadNote(em: EntityManager, id: number): Promise<StoredNote> {
  return em.findOneOrFail(Note, id, { populate: ['account', 'readers'] });
}

function storedNote(database: DatabaseService, id: number): Promise<StoredNote> {
  return database.read(em => loadNote(em, id));
}

/** Moments of a flush, from before it has computed anything to after its answer: how many turns of which queue away. */
const moments: readonly (readonly [microtasks: number, turns: number])[] = [
  ...Array.from({ length: 9 }, (_, step) => [step * 7, 0] as const),
  ...[1, 3].map(turns => [0, turns] as const),
];

async function reach([microtasks, turns]: readonly [number, number]): Promise<void> {
  for (let step = 0; step < microtasks; step += 1) await undefined;
  for (let turn = 0; turn < turns; turn += 1) await setImmediate();
}

async function withHooks(hooks: typeof noteHooks, work: () => Promise<unknown>): Promise<void> {
  Object.assign(noteHooks, hooks);
  try {
    await work();
  } finally {
    for (const name of ['beforeUpdate', 'afterCreate', 'afterUpdate'] as const) delete noteHooks[name];
  }
}

/** The ways in which work is flushed for the last time. */
const ends: readonly (readonly [
  how: string,
  run: (database: DatabaseService, work: (em: EntityManager) => Promise<void>) => Promise<unknown>,
])[] = [
  ['a session', (database, work) => database.session(work)],
  ['a nested session with a savepoint', (database, work) => database.session(() => database.transaction(work))],
  ['em.transactional', (database, work) => database.session(em => em.transactional(work))],
  [
    'an opened session',
    async (database, work) => {
      await using session = await database.openSession();
      await work(session.em);
      await session.commit();
    },
  ],
  ['a batch', (database, work) => database.batch([1], work)],
];

async function storedTexts(database: DatabaseService): Promise<string[]> {
  const notes = await database.read(em => em.find(Note, {}, { orderBy: { id: 'asc' } }));
  return notes.map(({ text }) => text);
}

export const changing: readonly Requirement[] = [
  ...changes.map(
    ({ what, to, read, stored }): Requirement => ({
      name: `stores a change of ${what} that is made while a flush runs`,
      async check({ database }) {
        await addAccounts(database);
        for (const moment of moments) {
          const id = await addNote(database);
          await database.session(async em => {
            const note = await loadNote(em, id);
            to(note, 'first', em);
            const flushed = em.flush();
            await reach(moment);
            to(note, 'second', em);
            await flushed;
          });
          deepEqual(read(await storedNote(database, id)), stored('second'), `at ${moment}`);
        }
      },
    }),
  ),
  ...changes
    .filter(({ what }) => what !== 'JSON, from inside')
    .map(
      ({ what, to, read, stored }): Requirement => ({
        name: `stores that a change of ${what} is set back while a flush runs`,
        async check({ database }) {
          await addAccounts(database);
          for (const moment of moments) {
            const id = await addNote(database);
            await database.session(async em => {
              const note = await loadNote(em, id);
              to(note, 'start', em);
              await em.flush();
              to(note, 'first', em);
              const flushed = em.flush();
              await reach(moment);
              to(note, 'start', em);
              await flushed;
            });
            deepEqual(read(await storedNote(database, id)), stored('start'), `at ${moment}`);
          }
        },
      }),
    ),
  {
    name: 'stores a change of what a flush creates that is made while it runs',
    async check({ database }) {
      await addAccounts(database);
      for (const moment of moments) {
        const { id } = await database.session(async em => {
          const note = em.create(Note, { text: 'created' });
          const flushed = em.flush();
          await reach(moment);
          note.text = 'changed';
          note.details = { tags: ['late'] };
          note.readers.add(em.getReference(Account, 2));
          await flushed;
          return note;
        });
        const { text, details, readers } = await storedNote(database, id);
        deepEqual([text, details, readers.length], ['changed', { tags: ['late'] }, 1], `at ${moment}`);
      }
    },
  },
  {
    name: 'does not store what is removed while a flush creates it',
    async check({ database }) {
      for (const moment of moments) {
        await database.session(async em => {
          const note = em.create(Note, { text: 'unwanted' });
          const flushed = em.flush();
          await reach(moment);
          em.remove(note);
          await flushed;
        });
        deepEqual(await storedTexts(database), [], `at ${moment}`);
      }
    },
  },
  {
    name: 'stores a change of a value that a statement returns, made while it runs',
    async check({ database }) {
      for (const moment of moments) {
        const ids = await database.session(async em => {
          const created = em.create(Note, { text: 'created' });
          const creating = em.flush();
          await reach(moment);
          created.rank = 99;
          await creating;
          const updated = em.create(Note, { text: 'start', rank: 1 });
          await em.flush();
          Object.assign(updated, { text: 'first', rank: raw('rank + 1') });
          const updating = em.flush();
          await reach(moment);
          Object.assign(updated, { text: 'second', rank: 50 });
          await updating;
          return [created.id, updated.id];
        });
        const notes = await database.read(em => em.find(Note, { id: { $in: ids } }, { orderBy: { id: 'asc' } }));
        const stored = notes.map(({ text, rank }) => [text, rank]);
        deepEqual(
          stored,
          [
            ['created', 99],
            ['second', 50],
          ],
          `at ${moment}`,
        );
      }
    },
  },
  {
    name: 'stores what beforeUpdate and afterUpdate change, of their entity and of others in the same flush',
    async check({ database }) {
      await addAccounts(database);
      const [first = 0, second = 0] = [await addNote(database), await addNote(database)];
      const hooks: typeof noteHooks = {
        beforeUpdate: async ({ em, entity }) => {
          (await em.findOneOrFail(Note, first)).details = { tags: ['of beforeUpdate'] };
          if (textOf(entity) === 'changed') Object.assign(Object(entity), { text: 'of beforeUpdate' });
        },
        afterUpdate: async ({ em }) => {
          (await em.findOneOrFail(Note, second)).details = { tags: ['of afterUpdate'] };
        },
      };
      await withHooks(hooks, () =>
        database.session(async em => {
          for (const id of [first, second]) (await loadNote(em, id)).text = 'changed';
        }),
      );
      const notes = [await storedNote(database, first), await storedNote(database, second)];
      deepEqual(
        notes.map(({ text, details }) => [text, details]),
        [
          ['of beforeUpdate', { tags: ['of beforeUpdate'] }],
          ['of beforeUpdate', { tags: ['of afterUpdate'] }],
        ],
      );
    },
  },
  {
    name: 'stores what a subscriber makes between the last flush and COMMIT',
    async check({ open }) {
      const [database] = await open();
      await database.connect();
      await database.migrate();
      let made = false;
      await database.session(async em => {
        em.getEventManager().registerSubscriber({
          beforeTransactionCommit: ({ em: committed }: TransactionEventArgs) => {
            if (!made) committed.create(Note, { text: 'of beforeTransactionCommit' });
            made = true;
          },
        });
        em.create(Note, { text: 'created' });
      });
      deepEqual(await storedTexts(database), ['created', 'of beforeTransactionCommit']);
    },
  },
  ...ends.map(
    ([how, run]): Requirement => ({
      name: `stores what hooks of the last flush make: ${how}`,
      async check({ database }) {
        await addAccounts(database);
        const other = await addNote(database);
        const hooks: typeof noteHooks = {
          afterCreate: async ({ em, entity }) => {
            if (textOf(entity) !== 'created') return;
            em.create(Note, { text: 'of afterCreate' });
            (await em.findOneOrFail(Note, other)).text = 'changed by afterCreate';
          },
          afterUpdate: async ({ em, entity }) => {
            if (textOf(entity) !== 'changed by afterCreate') return;
            em.create(Note, { text: 'of afterUpdate' });
            (await em.findOneOrFail(Note, other)).text = 'changed by afterUpdate';
          },
        };
        await withHooks(hooks, () => run(database, async em => void em.create(Note, { text: 'created' })));
        const expected = ['changed by afterUpdate', 'created', 'of afterCreate', 'of afterUpdate'];
        deepEqual(await storedTexts(database), expected);
      },
    }),
  ),
  {
    name: 'stores what a subscriber makes after the last flush, and what a hook removes',
    async check({ database }) {
      await addAccounts(database);
      const removed = await addNote(database);
      await database.session(em => em.execute('delete from conformance_note_readers'));
      let made = false;
      const subscriber: EventSubscriber = {
        afterFlush({ em }) {
          if (!made) em.create(Note, { text: 'of afterFlush' });
          made = true;
        },
      };
      const hooks: typeof noteHooks = {
        afterCreate: async ({ em }) => {
          const note = await em.findOne(Note, removed);
          if (note) em.remove(note);
        },
      };
      await withHooks(hooks, () =>
        database.session(async em => {
          const own = em.fork({ cloneEventManager: true, keepTransactionContext: true });
          own.getEventManager().registerSubscriber(subscriber);
          await own.transactional(async inner => void inner.create(Note, { text: 'created' }));
        }),
      );
      deepEqual(await storedTexts(database), ['created', 'of afterFlush']);
    },
  },
  {
    name: 'refuses to commit when hooks make more in every flush, and stores nothing',
    async check({ database }) {
      const hooks: typeof noteHooks = { afterCreate: ({ em }) => void em.create(Note, { text: 'one more' }) };
      for (const [, run] of ends.slice(0, 2)) {
        await withHooks(hooks, async () => {
          const endless = run(database, async em => void em.create(Note, { text: 'created' }));
          const { facts } = await rejectsWith(endless, 'DATABASE_FLUSH_ENDLESS');
          deepEqual([facts.flushes, facts.entity], [100, 'ConformanceNote']);
        });
      }
      deepEqual(await storedTexts(database), []);
    },
  },
  {
    name: 'flushes once, and sends nothing more, when hooks make nothing',
    async check({ database }) {
      await addAccounts(database);
      const id = await addNote(database);
      const updates: unknown[] = [];
      await withHooks({ beforeUpdate: ({ entity }) => void updates.push(textOf(entity)) }, () =>
        database.session(async em => {
          const note = await loadNote(em, id);
          note.text = 'changed';
          note.details = { tags: ['changed'] };
          note.home = { city: 'changed', street: null };
          note.readers.removeAll();
        }),
      );
      deepEqual(updates, ['changed']);
    },
  },
];

function textOf(entity: unknown): unknown {
  return typeof entity === 'object' && entity !== null ? Reflect.get(entity, 'text') : undefined;
}
