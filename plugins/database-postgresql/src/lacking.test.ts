import { AmbiguousCommitError, type DatabaseCapability } from '@keelson/database';
import { databaseConformance } from '@keelson/database/testing';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { startDisguiseProxy } from '@keelson/test-support/disguise-proxy';
import { eventually } from '@keelson/test-support/eventually';
import { lackingDriver } from '@keelson/test-support/lacking-driver';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import { startTcpProxy } from '@keelson/test-support/tcp-proxy';
import { migrateDatabase } from '@keelson/test-support/test-service';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { harnessOf } from './conformance.fixture.js';

/** Which promises a capability concerns, besides those that say what happens without it. */
const concerns: readonly (readonly [DatabaseCapability, RegExp])[] = [
  ['cancel', /deadline|its time|gives up|while its statement runs|signal/],
  ['commit-lookup', /commits by hand|for several instances/],
  ['savepoints', /in bulk|batch|joins|inside another that asks|part/],
  ['session-state', /outside of one|half-way|lends/],
  ['copy', /in bulk|batch/],
  ['stream', /stream|cursor/],
  ['transactional-ddl', /migrat/],
  ['session-locks', /migrat/],
  ['server-timeouts', /deadline|outside of one/],
];

describe.each(concerns)('a database without %s keeps its promises or refuses them by name', (capability, concerned) => {
  const used: string[] = [];
  const harness = harnessOf({
    options: { engine: { capabilities: { [capability]: false } } },
    wrap: driver => lackingDriver(driver, capability, used),
  });
  const chosen = databaseConformance(harness).filter(
    ({ name, requires, lacks }) =>
      lacks === capability || (lacks === undefined && !requires.includes(capability) && concerned.test(name)),
  );
  test.each(chosen)('$name', async ({ run }) => {
    expect(await run()).toBe('passed');
    expect(used).toEqual([]);
  });
});

describe('without a capability', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase();
    await migrateDatabase(database.url);
  });
  afterAll(() => database[Symbol.asyncDispose]());

  const lacking = (capability: DatabaseCapability) => ({ engine: { capabilities: { [capability]: false } } });

  const storedOf = async ({ database: asked }: PostgresqlService, email: string) =>
    asked.read(em => em.count(Author, { email }));

  test('commit-lookup, a COMMIT that was not answered is ambiguous, unless the caller can prove it', async () => {
    await using proxy = disposable(await startTcpProxy({ to: database.url }));
    // Left to itself, the service takes a token then.
    const options = { ...lacking('commit-lookup'), commitProof: 'none' as const };
    await using service = await connectPostgresqlService({ url: proxy.url(), options });
    const insert = (email: string, verifyCommitted?: () => Promise<boolean>) =>
      service.database.session(em => em.insert(Author, { email }), { ...(verifyCommitted && { verifyCommitted }) });
    const cut = proxy.onceAtCommit('after');
    await expect(insert('unknown@example.org')).rejects.toBeInstanceOf(AmbiguousCommitError);
    await cut;
    const again = proxy.onceAtCommit('after');
    await insert('proven@example.org', async () => (await storedOf(service, 'proven@example.org')) === 1);
    await again;
    expect(await storedOf(service, 'proven@example.org')).toBe(1);
  });

  test('write-implies-id, only that it was committed is believed of a COMMIT that was not answered', async () => {
    await using proxy = disposable(await startTcpProxy({ to: database.url }));
    await using service = await connectPostgresqlService({ url: proxy.url(), options: lacking('write-implies-id') });
    const after = proxy.onceAtCommit('after');
    await service.database.session(em => em.insert(Author, { email: 'found@example.org' }));
    await after;
    const before = proxy.onceAtCommit('before');
    const lost = service.database.session(em => em.insert(Author, { email: 'lost@example.org' }));
    await expect(lost).rejects.toThrow(/may have stored a part of it on another server/);
    await before;
    expect(await storedOf(service, 'found@example.org')).toBe(1);
  });

  test('prepared-statements, none is prepared', async () => {
    const prepared = async (options: object) => {
      await using service = await connectPostgresqlService({
        url: database.url,
        options: { ...options, pool: { max: 1 } },
      });
      for (let time = 0; time < 4; time += 1) await storedOf(service, 'nobody@example.org');
      return await service.database.read(
        async em => (await em.execute('select name from pg_prepared_statements')).length,
      );
    };
    expect(await prepared({})).toBeGreaterThan(0);
    expect(await prepared(lacking('prepared-statements'))).toBe(0);
  });

  test('replica-lag, a replica gets no reads, unless any lag is allowed', async () => {
    const stateOf = async (maxLagMs: number | 'any', options: object) => {
      const replicas = { urls: [database.url], maxLagMs, checkIntervalMs: 20 };
      await using service = await connectPostgresqlService({ url: database.url, options: { ...options, replicas } });
      const state = async () => {
        const hosts = (await service.database.health()).facts?.hosts;
        return Array.isArray(hosts) ? hosts.find(({ role }) => role === 'replica')?.state : undefined;
      };
      await storedOf(service, 'nobody@example.org');
      await eventually(async () => expect(await state()).toBeDefined());
      if (maxLagMs === 'any' || !('engine' in options)) await eventually(async () => expect(await state()).toBe('fit'));
      return await state();
    };
    expect(await stateOf(60_000, {})).toBe('fit');
    expect(await stateOf('any', lacking('replica-lag'))).toBe('fit');
    expect(await stateOf(60_000, lacking('replica-lag'))).toBe('unknown');
  });

  test('read committed, sessions and migrations take what there is', async () => {
    await using own = await createTestDatabase();
    await using proxy = await startDisguiseProxy(own.url, {
      statement: sql => sql.replace('isolation level read committed', 'isolation level no such'),
    });
    await using service = await connectPostgresqlService({ url: proxy.url(own.url) });
    expect([...service.database.engine.isolationLevels]).toEqual(['repeatable read', 'serializable']);
    const sentBefore = proxy.statements.length;
    await service.database.migrate();
    await service.database.session(em => em.insert(Author, { email: 'one@example.org' }), {
      isolation: 'serializable',
    });
    const refused = service.database.session(em => em.count(Author), { isolation: 'read committed' });
    await expect(refused).rejects.toMatchObject({
      code: 'DATABASE_UNSUPPORTED',
      hint: 'Use one that it has: repeatable read, serializable.',
    });
    expect(proxy.statements.slice(sentBefore).join()).not.toContain('isolation level read committed');
  });
});

test.each([
  ['rare', 'warn'],
  ['normal', 'debug'],
] as const)('where conflicts are %s, a unit that runs again after one is logged at %s', async (conflicts, level) => {
  await using database = await createTestDatabase();
  await using service = await connectPostgresqlService({ url: database.url, options: { engine: { conflicts } } });
  const undone = "do $$ begin raise exception 'undone' using errcode = '40001'; end $$";
  await service.database.session((em, { attempt }) => em.execute(attempt === 1 ? undone : 'select 1'));
  expect(service.logger.find('retrying a session')?.level).toBe(level);
});

function disposable<T extends { dispose(): Promise<void> }>(proxy: T): T & AsyncDisposable {
  return Object.assign(proxy, { [Symbol.asyncDispose]: () => proxy.dispose() });
}
