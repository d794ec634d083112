import type { DatabaseService, EntityManager } from '@keelson/database';
import { eventually } from '@keelson/test-support/eventually';
import { connectPostgresqlService, createPostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import type { TcpProxy } from '@keelson/test-support/tcp-proxy';
import { type ProxiedService, startProxiedService } from '@keelson/test-support/test-service';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** Fails at its first call only: what a sequence has given out is not taken back. */
const failsOnce = `
  create sequence calls;
  create function fails_once() returns text language plpgsql as $$ begin
    if nextval('calls') = 1 then raise 'undone' using errcode = 'serialization_failure'; end if;
    return 'done';
  end $$`;

describe('the first statement of an opened session', () => {
  let proxy: TcpProxy;
  let service: ProxiedService;
  let database: DatabaseService;

  beforeAll(async () => {
    service = await startProxiedService();
    ({ proxy, database } = service);
  });
  afterAll(() => service[Symbol.asyncDispose]());

  async function asAdmin(sql: string): Promise<void> {
    const options = '-c default_transaction_read_only=off';
    const client = new pg.Client({ connectionString: service.testDatabase.adminUrl, options });
    await client.connect();
    await client.query(sql).finally(() => client.end());
  }

  const authors = (email: string) => database.read(em => em.count(Author, { email }));

  test('is sent again when the server has undone it', async () => {
    await asAdmin(`${failsOnce}; grant usage on sequence calls to public`);
    await using session = await database.openSession();
    expect(await session.em.execute('select fails_once() as text')).toEqual([{ text: 'done' }]);
    await session.em.insert(Author, { email: 'undone@example.org' });
    await session.commit();
    expect(await authors('undone@example.org')).toBe(1);
  });

  test('is sent again, on another connection, while the server takes no writes', async () => {
    const { name } = service.testDatabase;
    await asAdmin(`alter database ${name} set default_transaction_read_only = on`);
    database.renewConnections();
    const discarded = () => database.stats().counters.discarded['read-only'] ?? 0;
    const before = discarded();
    await using session = await database.openSession();
    const inserted = session.em.insert(Author, { email: 'failover@example.org' });
    await eventually(() => discarded() > before);
    await asAdmin(`alter database ${name} reset default_transaction_read_only`);
    await inserted;
    await session.commit();
    expect(await authors('failover@example.org')).toBe(1);
  });

  test('is sent once when it is a write in a read-only session', async () => {
    const recording = proxy.recording();
    await using session = await database.openSession({ readOnly: true });
    await expect(session.em.execute('delete from author')).rejects.toThrow();
    expect(recording.statements.flat().filter(sql => sql.includes('delete from author'))).toHaveLength(1);
  });

  test('whose answer does not come in time takes its connection along: the next caller gets another', async () => {
    await using single = await connectPostgresqlService({ url: proxy.url(), options: { pool: { max: 1 } } });
    await single.database.session(em => em.execute('select 1'));
    proxy.stall();
    const late = await single.database.openSession({ timeoutMs: 100 });
    await expect(late.em.insert(Author, { email: 'late@example.org' })).rejects.toThrow();
    await late.rollback();
    expect(single.database.stats()).toMatchObject({ idle: 0, busy: 1 });
    const next = single.database.session(em => em.insert(Author, { email: 'next@example.org' }));
    await eventually(() => single.database.stats().counters.acquired === 3);
    proxy.resume();
    await next;
    expect(await authors('next@example.org')).toBe(1);
    expect(await authors('late@example.org')).toBe(0);
  });

  test('that got no connection ends the session, also when its error was swallowed', async () => {
    const options = { pool: { acquireTimeoutMs: 100, pingTimeoutMs: 100 } };
    await using impatient = createPostgresqlService({ url: service.testDatabase.url, options });
    const swallow = (em: EntityManager) => em.execute('select 1').catch(() => {});
    await impatient.database.connect();
    impatient.database.suspend();
    await expect(impatient.database.session(swallow)).rejects.toMatchObject({ code: 'DATABASE_TRANSACTION_FAILED' });
    await using session = await impatient.database.openSession();
    await swallow(session.em);
    await expect(session.commit()).rejects.toMatchObject({ code: 'DATABASE_TRANSACTION_FAILED' });
  });
});
