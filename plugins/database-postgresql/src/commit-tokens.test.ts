import type { DatabaseService } from '@keelson/database';
import { startDisguiseProxy } from '@keelson/test-support/disguise-proxy';
import { eventually } from '@keelson/test-support/eventually';
import { hasPgbouncer, startPgbouncer } from '@keelson/test-support/pgbouncer';
import { type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

describe('a unit with a token as proof of its commit', () => {
  let server: PostgresServer;
  let proxy: TcpProxy;
  let service: PostgresqlService;
  let database: DatabaseService;
  let client: pg.Client;
  let emails = 0;

  beforeAll(async () => {
    server = await startPostgres();
    const url = await server.createDatabase('tokens');
    proxy = await startTcpProxy({ to: url });
    service = await connectPostgresqlService({
      url: proxy.url(),
      options: { commitProof: 'token', pool: { pingAfterIdleMs: 60_000, max: 20 } },
    });
    database = service.database;
    await database.migrate();
    client = new pg.Client(url);
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await service[Symbol.asyncDispose]();
    await proxy.dispose();
    await server.dispose();
  });
  beforeEach(async () => {
    await client.query('truncate author; truncate keelson_commit_tokens');
  });

  const rowsOf = async (sql: string): Promise<unknown[]> => (await client.query(sql)).rows;
  const tokens = () => rowsOf('select refused from keelson_commit_tokens order by refused');
  const stored = () => rowsOf('select email from author order by id');
  const email = () => `author-${++emails}@example.org`;
  const insert = (options: Parameters<DatabaseService['session']>[1] = {}) =>
    database.session(async (em, session) => {
      await em.insert(Author, { email: email() });
      return session.attempt;
    }, options);

  test('takes no further round trip: two for one insert, n + 1 for n statements, none for a read', async () => {
    await insert();
    const recording = proxy.recording();
    await insert();
    expect(recording.statements).toEqual([
      [
        'begin',
        expect.stringMatching(/^insert into "public"."keelson_commit_tokens"/),
        expect.stringMatching(/author/),
      ],
      ['commit'],
    ]);
    recording.clear();
    await database.session(async em => {
      for (let count = 0; count < 3; count += 1) await em.insert(Author, { email: email() });
    });
    expect(recording.roundTrips).toBe(4);
    expect(recording.statements.flat().filter(sql => sql.includes('keelson_commit_tokens'))).toHaveLength(1);
    recording.clear();
    await database.read(em => em.count(Author));
    expect(recording.statements.flat().filter(sql => sql.includes('keelson_commit_tokens'))).toEqual([]);
  });

  test('writes one token, and none when it is rolled back or does nothing', async () => {
    await insert();
    await database.session(async () => 1);
    await database
      .session(async em => {
        await em.insert(Author, { email: email() });
        throw new Error('changed its mind');
      })
      .catch(() => {});
    expect(await tokens()).toEqual([{ refused: false }]);
  });

  test('keeps its token when a savepoint that was its first statement is rolled back', async () => {
    const cut = proxy.onceAtCommit('after');
    let attempts = 0;
    await database.session(async (em, session) => {
      attempts = session.attempt;
      const part = () =>
        database.transaction(async inner => {
          await inner.insert(Author, { email: 'dropped@example.org' });
          throw new Error('only this part');
        });
      await part().catch(() => {});
      await database.transaction(inner => inner.execute('no sql at all')).catch(() => {});
      await em.insert(Author, { email: 'kept@example.org' });
    });
    await cut;
    expect({ attempts, stored: await stored(), tokens: await tokens() }).toEqual({
      attempts: 1,
      stored: [{ email: 'kept@example.org' }],
      tokens: [{ refused: false }],
    });
  });

  test('writes a new one when it is run again: the lost attempt can never use its own any more', async () => {
    const cut = proxy.onceAtCommit('before');
    expect(await insert()).toBe(2);
    await cut;
    expect(await tokens()).toEqual([{ refused: false }, { refused: true }]);
  });

  test('is looked up once more when the answer about it was lost, with the same result', async () => {
    for (const [when, attempts] of [
      ['before', 2],
      ['after', 1],
    ] as const) {
      const cut = proxy.onceAtCommit(when);
      const lookCut = proxy.onceAt(/kept\.refused/, 'after');
      expect(await insert()).toBe(attempts);
      await Promise.all([cut, lookCut]);
    }
    expect(await stored()).toHaveLength(2);
  });

  test('is looked up over a new connection when that of the last look-up is dead', async () => {
    const first = proxy.onceAtCommit('after');
    await insert();
    await first;
    proxy.stall();
    database.renewConnections();
    const second = proxy.onceAtCommit('after');
    expect(await insert({ timeoutMs: 20_000 })).toBe(1);
    await second;
    expect(await stored()).toHaveLength(2);
    // What was held back is not to reach the server in the next test.
    proxy.cut();
    proxy.resume();
  });

  test('writes it after what must come first in a transaction, and before a role that may not write it', async () => {
    await server.query('create role tenant; grant tenant to keelson');
    const firsts = ['set transaction isolation level serializable', 'lock table author in share mode'];
    for (const first of [...firsts, 'set local role tenant', 'set transaction read only']) {
      const rows = await database.session(async em => {
        await em.execute(first);
        return em.execute("select current_setting('transaction_isolation') as isolation");
      });
      expect(rows).toEqual([{ isolation: first.includes('serializable') ? 'serializable' : 'read committed' }]);
    }
    expect(await tokens()).toHaveLength(3);
  });

  test('writes it as the role of the connection, before the session takes the role and the variables of a tenant', async () => {
    await server.query('create role narrow; grant narrow to keelson');
    await client.query('grant insert, select on author to narrow; grant usage on sequence author_id_seq to narrow');
    const cut = proxy.onceAtCommit('after');
    const recording = proxy.recording();
    await database.session(em => em.insert(Author, { email: email() }), {
      session: { role: 'narrow', variables: { 'app.tenant': 'one' } },
    });
    await cut;
    expect(recording.statements[0]).toHaveLength(4);
    expect([await tokens(), (await stored()).length]).toEqual([[{ refused: false }], 1]);
  });

  test('loads in bulk and streams with its token written first', async () => {
    for (const work of [
      () => database.bulkInsert(Author, [{ email: email() }]),
      () =>
        database.session(async em => {
          for await (const _ of em.stream(Author, {}));
          await em.insert(Author, { email: email() });
        }),
    ]) {
      const cut = proxy.onceAtCommit('after');
      await work();
      await cut;
    }
    expect([(await stored()).length, await tokens()]).toEqual([2, [{ refused: false }, { refused: false }]]);
  });

  test('whose COMMIT is still on its way waits for it, and is not run again', async () => {
    const cut = proxy.onceAtCommit('on its way');
    const outcome = insert();
    await cut;
    await eventually(async () => {
      const looks = await rowsOf("select 1 from pg_stat_activity where query like '%kept.refused%' and state <> ''");
      expect(looks.length).toBeGreaterThan(0);
    });
    proxy.resume();
    expect(await outcome).toBe(1);
    expect(await stored()).toHaveLength(1);
  });

  test('whose COMMIT got lost while the server keeps the connection: that is ended, and the unit runs again', async () => {
    const cut = proxy.onceAtCommit('on its way');
    const outcome = insert({ timeoutMs: 10_000 });
    await cut;
    expect(await outcome).toBe(2);
    expect(await stored()).toHaveLength(1);
    // What was on its way comes too late.
    proxy.resume();
    await insert();
    expect(await stored()).toHaveLength(2);
  });

  test('200 at once, cut at random: each is stored once, or its caller got the answer that it is not', async () => {
    const heard = new Map<string, 'done' | 'not done' | 'unknown'>();
    let isOver = false;
    let cuts = 0;
    const cutting = (async () => {
      while (!isOver) {
        const when = (['before', 'after', 'on its way'] as const)[Math.floor(Math.random() * 3)] ?? 'after';
        await Promise.race([
          proxy.onceAtCommit(when),
          eventually(() => expect(isOver).toBe(true), { timeoutMs: 30_000 }),
        ]);
        cuts += 1;
        if (when === 'on its way' && Math.random() < 0.5) proxy.resume();
        await new Promise(resolve => setImmediate(resolve));
      }
    })();
    await Promise.all(
      Array.from({ length: 200 }, async () => {
        const address = email();
        const retry = Math.random() < 0.5 ? 'never' : undefined;
        await database
          .session(em => em.insert(Author, { email: address }), { ...(retry && { retry }), timeoutMs: 25_000 })
          .then(
            () => heard.set(address, 'done'),
            (error: { code?: string }) =>
              heard.set(address, error.code === 'DATABASE_AMBIGUOUS_COMMIT' ? 'unknown' : 'not done'),
          );
      }),
    );
    isOver = true;
    await cutting;
    proxy.resume();
    const rows = new Set(
      (await client.query<{ email: string }>('select email from author')).rows.map(row => row.email),
    );
    const wrong = [...heard].filter(([address, said]) => said === 'unknown' || rows.has(address) !== (said === 'done'));
    expect(wrong).toEqual([]);
    expect(heard.size).toBe(200);
    expect(cuts).toBeGreaterThan(20);
  }, 60_000);
});

test('on an engine that gives out no ids, auto writes tokens, and a COMMIT that is cut is resolved', async () => {
  await using server = await startPostgres();
  const url = await server.createDatabase('other');
  const version = 'CockroachDB CCL v24.1.2 (x86_64-pc-linux-gnu, built 2024/07/01)';
  const statement = (sql: string) => sql.replaceAll('version()', `'${version}'::text`);
  await using disguise = await startDisguiseProxy(url, { statement });
  await using proxy = await startTcpProxy({ to: disguise.url(url) });
  await using service = await connectPostgresqlService({ url: proxy.url() });
  const { database } = service;
  await database.migrate();
  expect([database.engine.product, database.commitProof]).toEqual(['cockroachdb', 'token']);
  await insertThroughCuts(database, proxy);
  expect(await database.read(em => em.count(Author))).toBe(2);
});

test.skipIf(!hasPgbouncer)('behind PgBouncer by transaction, a COMMIT that is cut is resolved', async () => {
  await using server = await startPostgres();
  const url = await server.createDatabase('pooled');
  await using bouncer = await startPgbouncer({ to: url });
  await using proxy = await startTcpProxy({ to: bouncer.url(url) });
  await using service = await connectPostgresqlService({ url: proxy.url(url), options: { commitProof: 'token' } });
  const { database } = service;
  await database.migrate();
  expect(database.engine.pooling).toBe('transaction');
  await insertThroughCuts(database, proxy);
  expect(await database.read(em => em.count(Author))).toBe(2);
});

/** Two units: COMMIT of the one is done and not answered, that of the other never arrives. */
async function insertThroughCuts(database: DatabaseService, proxy: TcpProxy) {
  for (const [when, attempts] of [
    ['after', 1],
    ['before', 2],
  ] as const) {
    const cut = proxy.onceAtCommit(when);
    const attempt = await database.session(async (em, session) => {
      await em.insert(Author, { email: `${when}@example.org` });
      return session.attempt;
    });
    await cut;
    expect(attempt).toBe(attempts);
  }
}
