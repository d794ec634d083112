import { deepEqual, equal, ok } from 'node:assert/strict';
import type { BatchWork } from '../batch/batch-options.js';
import { rejection, rejectsWith, storedEmails } from './checks.js';
import { Account } from './conformance-model.js';
import type { Requirement } from './harness.js';
import { addAccounts } from './notes.js';

interface NewAccount {
  readonly email: string;
  readonly balance: number;
}

const accounts = (count: number): NewAccount[] =>
  Array.from({ length: count }, (_, index) => ({ email: `account ${String(index).padStart(3, '0')}`, balance: index }));

const withBad = (count: number, at: number) =>
  accounts(count).map((account, index) => (index === at ? { ...account, balance: -1 } : account));

const emails = (count: number) => accounts(count).map(({ email }) => email);

const store: BatchWork<NewAccount> = async (em, items) => {
  for (const item of items) em.create(Account, item, { persist: true });
};

async function* slowly<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  for (const item of items) yield await Promise.resolve(item);
}

export const batching: readonly Requirement[] = [
  {
    name: 'stores a batch in chunks, in one transaction',
    async check({ database }) {
      const reported: number[] = [];
      const done = await database.batch(slowly(accounts(25)), store, {
        chunkSize: 10,
        onProgress: progress => reported.push(progress.done),
      });
      deepEqual([done.done, done.chunks, reported], [25, 3, [10, 20, 25]]);
      deepEqual(await storedEmails(database), emails(25));
    },
  },
  {
    name: 'stores nothing of a batch that fails, and says which item was refused',
    requires: 'savepoints',
    async check({ database }) {
      const error = await rejectsWith(
        database.batch(withBad(25, 17), store, { chunkSize: 10 }),
        'DATABASE_QUERY_FAILED',
      );
      equal(error.facts.itemIndex, 17);
      equal(error.facts.constraint, 'conformance_account_balance');
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'joins a batch to the session around it; when a batch in a savepoint fails, the session goes on',
    async check({ database }) {
      await database.session(async em => {
        await database.batch(accounts(3), store, { chunkSize: 2 });
        const bad = [{ email: 'bad', balance: -1 }];
        await rejection(database.batch(bad, store, { nested: 'savepoint' }));
        equal(await em.count(Account), 3);
      });
      deepEqual(await storedEmails(database), emails(3));
    },
  },
  {
    name: 'closes the source of a batch that is aborted, and stores nothing',
    async check({ database }) {
      const controller = new AbortController();
      let closed = false;
      async function* source() {
        try {
          yield* accounts(20);
        } finally {
          closed = true;
        }
      }
      const batch = database.batch(source(), store, {
        chunkSize: 5,
        signal: controller.signal,
        onProgress: () => controller.abort(),
      });
      await rejectsWith(batch, 'DATABASE_SESSION_ABORTED');
      ok(closed, 'the source was closed');
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'inserts in bulk what is given, whatever is in it',
    async check({ database }) {
      const awkward = [
        '',
        '\\N',
        '\\.',
        'null',
        "it's",
        'tab\there',
        'line\nbreak\r\n',
        'back\\slash',
        '"',
        ' x ',
        '🜁',
      ];
      await database.bulkInsert(
        Account,
        awkward.map(email => ({ email })),
      );
      deepEqual(new Set(await storedEmails(database)), new Set(awkward));
    },
  },
  {
    name: 'inserts in bulk all or nothing, and says which row was refused',
    requires: 'savepoints',
    async check({ database }) {
      const error = await rejectsWith(
        database.bulkInsert(Account, withBad(25, 17), { chunkSize: 10 }),
        'DATABASE_QUERY_FAILED',
      );
      equal(error.facts.itemIndex, 17);
      equal(error.facts.constraint, 'conformance_account_balance');
      deepEqual(await storedEmails(database), []);
      const twice = [...accounts(12), ...accounts(1)];
      const duplicate = await rejectsWith(
        database.bulkInsert(Account, twice, { chunkSize: 20 }),
        'DATABASE_QUERY_FAILED',
      );
      equal(duplicate.facts.itemIndex, 12);
      equal(duplicate.facts.kind, 'unique');
    },
  },
  {
    name: 'says which tables are missing, and which migrations are pending, without making any',
    async check({ open }) {
      const [database] = await open();
      await database.connect();
      const { status, differences } = await database.validateSchema();
      equal(status, 'different');
      deepEqual(
        differences.map(({ kind, table }) => [kind, table]),
        [
          ['missing-table', 'conformance_account'],
          ['missing-table', 'conformance_booking'],
          ['missing-table', 'conformance_note'],
          ['missing-table', 'conformance_note_readers'],
        ],
      );
      deepEqual(await database.migrations(), { applied: [], pending: ['CreateConformanceTables'], unknown: [] });
      await database.migrate();
      const now = await database.validateSchema();
      ok(!now.differences.some(({ kind }) => kind === 'missing-table' || kind === 'missing-column'));
    },
  },
  {
    name: 'undoes a migration',
    async check({ open }) {
      const [database] = await open();
      await database.connect();
      await database.migrate();
      deepEqual(
        (await database.migrations()).applied.map(({ name }) => name),
        ['CreateConformanceTables'],
      );
      equal(await database.revert(), 'CreateConformanceTables');
      equal(await database.revert(), undefined);
      await rejectsWith(
        database.session(em => em.count(Account)),
        'DATABASE_QUERY_FAILED',
      );
    },
  },
  {
    name: 'rejects with the error of a batch also when closing its source fails or never ends',
    async check({ database }) {
      const failing = () => {
        throw new Error('of the source');
      };
      const endless = () => new Promise<never>(() => {});
      const next = () => ({ done: false as const, value: accounts(1)[0] });
      const sources = [
        { [Symbol.iterator]: () => ({ next, return: failing }) },
        { [Symbol.asyncIterator]: () => ({ next: async () => next(), return: failing }) },
        { [Symbol.asyncIterator]: () => ({ next: async () => next(), return: async () => failing() }) },
        { [Symbol.asyncIterator]: () => ({ next: async () => next(), return: endless }) },
      ];
      const refused = new Error('refused by the work');
      for (const source of sources) {
        const batch = database.batch(source, () => Promise.reject(refused), { chunkSize: 2, timeoutMs: 100 });
        equal(await rejection(batch), refused);
      }
      const signal = AbortSignal.timeout(50);
      await rejectsWith(
        database.batch(sources[3] ?? [], () => endless(), { signal }),
        'DATABASE_SESSION_ABORTED',
      );
    },
  },
  {
    name: 'names the item that conflicts with an earlier item, when the items are entities changed before the batch',
    requires: 'savepoints',
    async check({ database }) {
      await addAccounts(database);
      const accounts = await database.read(em => em.find(Account, {}, { orderBy: { id: 'asc' } }));
      for (const account of accounts.slice(0, 2)) account.email = 'same';
      const batch = database.batch(accounts, async (em, chunk) => void em.persist([...chunk]), { chunkSize: 1 });
      equal((await rejectsWith(batch, 'DATABASE_QUERY_FAILED')).facts.itemIndex, 1);
    },
  },
];
