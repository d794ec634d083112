import type { DatabaseService, EntityManager } from '@keelson/database';
import { Author } from '@keelson/test-support/sample-model';
import type { TcpProxy } from '@keelson/test-support/tcp-proxy';
import { type ProxiedService, startProxiedService } from '@keelson/test-support/test-service';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

let proxy: TcpProxy;
let service: ProxiedService;
let database: DatabaseService;

beforeAll(async () => {
  service = await startProxiedService();
  ({ proxy, database } = service);
});
afterAll(() => service[Symbol.asyncDispose]());
afterEach(() => database.session(em => em.nativeDelete(Author, {})));

const stored = () => database.read(async em => (await em.find(Author, {}, { orderBy: { id: 1 } })).map(({ id }) => id));
const insert = (em: EntityManager, id: number) => em.insert(Author, { id, email: `${id}@example.org` });
const ignore = () => {};

let cuts = 0;
async function insertOverCut(em: EntityManager): Promise<void> {
  if (cuts-- > 0) proxy.cut();
  await insert(em, 2);
}

/** Ways in which work goes on after an error. */
const swallowing: [string, (em: EntityManager) => Promise<unknown>][] = [
  ['of a statement', em => insertOverCut(em).catch(ignore)],
  ['of a part', () => database.transaction(insertOverCut).catch(ignore)],
  ['of a joined session', () => database.session(insertOverCut).catch(ignore)],
];

describe.each(swallowing)('a lost connection whose error the work has swallowed, %s,', (_what, swallow) => {
  const works: [string, (em: EntityManager) => Promise<unknown>][] = [
    ['at its end', em => swallow(em)],
    ['before another statement', em => swallow(em).then(() => insert(em, 3))],
  ];

  test.each(works)('lets the unit run again: %s', async (_where, rest) => {
    let attempts = 0;
    cuts = 1;
    await database.session(async em => {
      attempts += 1;
      await insert(em, 1);
      await rest(em);
    });
    expect(attempts).toBe(2);
    expect((await stored()).slice(0, 2)).toEqual([1, 2]);
  });

  test('is a 503 in a session that cannot run again', async () => {
    cuts = 1;
    await using session = await database.openSession();
    await insert(session.em, 1);
    await session.run(() => swallow(session.em));
    await expect(session.commit()).rejects.toMatchObject({ http: { status: 503 } });
    expect(await stored()).toEqual([]);
  });
});

const wrapping: [string, (em: EntityManager) => Promise<unknown>][] = [
  [
    'as the cause of its own',
    em => insertOverCut(em).catch(cause => Promise.reject(new Error('no author', { cause }))),
  ],
  ['among several', em => Promise.any([insertOverCut(em)])],
  ['by what it concludes from it', em => insertOverCut(em).catch(() => Promise.reject(new Error('not found')))],
];

describe.each(wrapping)('a lost connection whose error the work has wrapped, %s,', (_what, wrap) => {
  test('lets the unit run again', async () => {
    cuts = 1;
    await database.session(async em => {
      await insert(em, 1);
      await wrap(em);
    });
    expect(await stored()).toEqual([1, 2]);
  });

  test('is thrown as it is when the unit may not run again', async () => {
    cuts = 1;
    const own: unknown[] = [];
    const work = async (em: EntityManager) => {
      await wrap(em).catch((error: unknown) => {
        own.push(error);
        throw error;
      });
    };
    const failing = database.session(work, { retry: 'never' });
    await expect(failing).rejects.toSatisfy(error => error === own[0]);
  });
});

test('a conflict whose error the work has swallowed lets the unit run again', async () => {
  await database.session(em => insert(em, 1));
  let attempts = 0;
  await database.session(
    async em => {
      attempts += 1;
      await em.count(Author);
      if (attempts === 1)
        await database.session(other => other.nativeUpdate(Author, 1, { name: 'other' }), { nested: 'separate' });
      await em.nativeUpdate(Author, 1, { name: 'mine' }).catch(ignore);
    },
    { isolation: 'repeatable read' },
  );
  expect([attempts, await database.read(em => em.findOneOrFail(Author, 1).then(({ name }) => name))]).toEqual([
    2,
    'mine',
  ]);
});

test('a refusal whose error the work has swallowed is a mistake of the work', async () => {
  let attempts = 0;
  const failing = database.session(async em => {
    attempts += 1;
    await insert(em, 1);
    await insert(em, 1).catch(ignore);
  });
  await expect(failing).rejects.toMatchObject({ code: 'DATABASE_TRANSACTION_FAILED' });
  expect([attempts, await stored()]).toEqual([1, []]);
});
