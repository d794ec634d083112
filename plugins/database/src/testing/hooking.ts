import { deepEqual } from 'node:assert/strict';
import type { EventSubscriber, TransactionEventArgs } from '@mikro-orm/core';
import type { DatabaseService } from '../database-service.js';
import type { DatabaseCapability } from '../driver/engine.js';
import type { EntityManager } from '../orm/entity-manager.js';
import { rejectsWith } from './checks.js';
import { Note, noteHooks } from './conformance-model.js';
import type { Requirement } from './harness.js';
import { addAccounts, addNote, loadNote, storedNote, storedTexts } from './notes.js';

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
  requires?: DatabaseCapability,
])[] = [
  ['a session', (database, work) => database.session(work)],
  [
    'a nested session with a savepoint',
    (database, work) => database.session(() => database.transaction(work)),
    'savepoints',
  ],
  ['em.transactional', (database, work) => database.session(em => em.transactional(work)), 'savepoints'],
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

export const hooking: readonly Requirement[] = [
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
    ([how, run, requires]): Requirement => ({
      name: `stores what hooks of the last flush make: ${how}`,
      ...(requires !== undefined && { requires }),
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
    requires: 'savepoints',
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
    requires: 'savepoints',
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
