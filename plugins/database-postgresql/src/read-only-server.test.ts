import type { DatabaseService } from '@keelson/database';
import { OpossumRetryPolicy } from '@keelson/retry-opossum';
import { eventually } from '@keelson/test-support/eventually';
import { applicationRole, type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

describe('a write that is refused as read-only', () => {
  let server: PostgresServer;
  let url: string;
  let service: PostgresqlService;
  let database: DatabaseService;
  let retry: OpossumRetryPolicy;
  let ids = 0;

  beforeAll(async () => {
    server = await startPostgres();
    url = await server.createDatabase('writes');
  });
  afterAll(() => server.dispose());
  beforeEach(async () => {
    await open();
    await database.migrate();
  });
  afterEach(async () => {
    await takeWrites(true);
    await service[Symbol.asyncDispose]();
  });

  async function open(): Promise<void> {
    retry = new OpossumRetryPolicy();
    service = await connectPostgresqlService({ url, retry });
    database = service.database;
  }

  async function takeWrites(takes: boolean): Promise<void> {
    const name = 'default_transaction_read_only';
    await server.query(takes ? `alter system reset ${name}` : `alter system set ${name} = on`);
    await server.query('select pg_reload_conf()');
    await eventually(async () => {
      const [row] = await server.query(`show ${name}`);
      expect(row?.[name]).toBe(takes ? 'off' : 'on');
    });
  }

  const insert = (email: string) => database.session(em => em.insert(Author, { id: ++ids, email }));
  const stored = async (email: string) =>
    (await server.query('select 1 from author where email = $1', [email], 'writes')).length;

  const isOpen = () => retry.describe().some(({ breaker }) => breaker.state === 'open');

  test('by a server that takes none from anybody waits, and is stored once when it does again', async () => {
    await insert('before');
    await takeWrites(false);
    const emails = Array.from({ length: 40 }, (_, index) => `waits ${index}`);
    const writes = emails.map(insert);
    const ended = Promise.allSettled(writes);
    await eventually(() => isOpen(), { timeoutMs: 10_000 });
    await takeWrites(true);
    expect((await ended).filter(({ status }) => status === 'rejected')).toEqual([]);
    expect(await Promise.all(emails.map(stored))).toEqual(emails.map(() => 1));
  });

  test('keeps back reads that must see what was stored before, and no others', async () => {
    let token: string | undefined;
    await database.session(
      async (em, session) => {
        await em.insert(Author, { id: ++ids, email: 'seen' });
        session.onCommit(() => {
          token = session.consistencyToken;
        });
      },
      { consistencyToken: true },
    );
    expect(token).toBeDefined();
    await takeWrites(false);
    const isSeen = (options = {}) => database.read(em => em.count(Author, { email: 'seen' }), options);
    // The server says what it is with its next answer.
    await eventually(async () => {
      expect(await isSeen()).toBe(1);
      await expect(isSeen({ after: token, timeoutMs: 200 })).rejects.toThrow();
      await expect(isSeen({ maxLagMs: 0, timeoutMs: 200 })).rejects.toThrow();
    });
    expect(await isSeen()).toBe(1);
    await takeWrites(true);
    expect(await isSeen({ after: token })).toBe(1);
  });

  describe('by a session that asked for it', () => {
    test.each(['set transaction read only', 'set local transaction_read_only = on'])(
      '%s: fails at once, and is no outage',
      async sql => {
        await insert(`before ${sql}`);
        const { opened } = database.stats().counters;
        let attempts = 0;
        const refused = database.session(async em => {
          attempts += 1;
          await em.execute(sql);
          await em.insert(Author, { id: ++ids, email: sql });
        });
        await expect(refused).rejects.toMatchObject({ code: 'DATABASE_QUERY_FAILED', kind: 'read-only' });
        expect(attempts).toBe(1);
        await insert(`after ${sql}`);
        expect(database.stats().counters.opened).toBe(opened);
        expect(await Promise.all([stored(sql), stored(`after ${sql}`)])).toEqual([0, 1]);
      },
    );
  });

  test('by another server than its own, through a function: fails at once, and is no outage', async () => {
    const body = `begin raise exception using errcode = '25006', message = 'cannot execute INSERT'; end`;
    await database.session(em =>
      em.execute(`create or replace function forwards() returns void language plpgsql as $$ ${body} $$`),
    );
    await insert('before a function');
    const { opened } = database.stats().counters;
    let attempts = 0;
    const refused = database.session(async em => {
      attempts += 1;
      await em.insert(Author, { id: ++ids, email: 'forwarded' });
      await em.execute('select forwards()');
    });
    await expect(refused).rejects.toMatchObject({ code: 'DATABASE_QUERY_FAILED', kind: 'read-only' });
    await insert('after a function');
    expect([attempts, database.stats().counters.opened, await stored('forwarded')]).toEqual([1, opened, 0]);
  });

  describe('by the settings of its role', () => {
    beforeEach(() => server.query(`alter role ${applicationRole.name} set default_transaction_read_only = on`));
    afterEach(() => server.query(`alter role ${applicationRole.name} reset default_transaction_read_only`));

    test('fails at once, and is no outage: reads go on', async () => {
      await service[Symbol.asyncDispose]();
      await open();
      let attempts = 0;
      const refused = database.session(async em => {
        attempts += 1;
        await em.insert(Author, { id: ++ids, email: 'role' });
      });
      await expect(refused).rejects.toMatchObject({ code: 'DATABASE_QUERY_FAILED', kind: 'read-only' });
      expect(attempts).toBe(1);
      expect(database.state.is).toBe('connected');
      expect(await database.read(em => em.count(Author, { email: 'role' }))).toBe(0);
    });
  });
});
