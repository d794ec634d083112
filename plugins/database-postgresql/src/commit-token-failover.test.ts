import { eventually } from '@keelson/test-support/eventually';
import type { PostgresServer } from '@keelson/test-support/postgres-server';
import { createPostgresqlService } from '@keelson/test-support/postgresql-service';
import { startReplicatedPostgres } from '@keelson/test-support/replication';
import { Author } from '@keelson/test-support/sample-model';
import { startTcpProxy } from '@keelson/test-support/tcp-proxy';
import { describe, expect, test } from 'vitest';

/** A service on a primary and a synchronous standby, each behind a proxy, with tokens as proof. */
async function setUp() {
  await using stack = new AsyncDisposableStack();
  const pair = stack.use(await startReplicatedPostgres({ synchronous: true }));
  const url = new URL(await pair.primary.createDatabase('failover'));
  const [first, second] = [
    stack.use(await startTcpProxy({ to: pair.primary })),
    stack.use(await startTcpProxy({ to: pair.standby })),
  ];
  const { username, password, pathname } = url;
  const hosts = [first, second].map(({ host, port }) => `${host}:${port}`).join(',');
  const { database, logger } = stack.use(
    createPostgresqlService({
      url: `postgresql://${username}:${password}@${hosts}${pathname}?target_session_attrs=read-write`,
      options: { commitProof: 'token' },
    }),
  );
  await database.connect();
  await database.migrate();
  let attempts = 0;
  const insert = () =>
    database.session(
      async (em, session) => {
        attempts = session.attempt;
        await em.insert(Author, { email: 'once@example.org' });
      },
      { timeoutMs: 25_000 },
    );
  const stored = async (on: PostgresServer) => (await on.query('select 1 from author', [], 'failover')).length;
  const waits = () =>
    eventually(async () => {
      const waiting = "select 1 from pg_stat_activity where wait_event = 'SyncRep'";
      expect((await pair.primary.query(waiting)).length).toBeGreaterThan(0);
    });
  const parts = stack.move();
  return {
    pair,
    proxy: first,
    database,
    logger,
    insert,
    stored,
    waits,
    attempts: () => attempts,
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

describe('a COMMIT without an answer, with a token as proof', { timeout: 60_000 }, () => {
  test('is found on the promoted standby when the primary has answered and died', async () => {
    await using scene = await setUp();
    const { pair, proxy } = scene;
    const cut = proxy.onceAtCommit('after');
    const outcome = scene.insert();
    outcome.catch(() => {});
    await cut;
    await proxy.setMode('refuse');
    proxy.cut();
    await pair.primary.kill('SIGKILL');
    await pair.promote();
    await outcome;
    expect([scene.attempts(), await scene.stored(pair.standby)]).toEqual([1, 1]);
  });

  test('is run again on the promoted standby when the primary died with it, and the standby had not got it', async () => {
    await using scene = await setUp();
    const { pair, proxy } = scene;
    pair.standby.freeze();
    const outcome = scene.insert();
    outcome.catch(() => {});
    await scene.waits();
    await pair.primary.kill('SIGKILL');
    await proxy.setMode('refuse');
    pair.standby.thaw();
    await pair.promote();
    await outcome;
    // What was in the socket of the standby may have reached it: then the one attempt is stored.
    expect(scene.attempts()).toBeLessThanOrEqual(2);
    expect(await scene.stored(pair.standby)).toBe(1);
  });

  test('is waited for while it waits for the standby, and its connection is lost: it is a success, once', async () => {
    await using scene = await setUp();
    const { pair, proxy, database } = scene;
    pair.standby.freeze();
    const outcome = scene.insert();
    let isOver = false;
    outcome.finally(() => (isOver = true)).catch(() => {});
    await scene.waits();
    proxy.cut();
    const looks = "select 1 from pg_stat_activity where query like '%kept.refused%' and query not like '%pg_stat%'";
    await eventually(async () => expect((await pair.primary.query(looks)).length).toBeGreaterThan(0));
    // The look waits, and nothing else: no ping stands behind it.
    expect((await database.health()).status).toBe('pass');
    expect(isOver).toBe(false);
    pair.standby.thaw();
    await outcome;
    expect([scene.attempts(), await scene.stored(pair.primary)]).toEqual([1, 1]);
  });

  test('is no success before the standby has it, even where the server has ended the wait', async () => {
    await using scene = await setUp();
    const { pair, proxy } = scene;
    pair.standby.freeze();
    const outcome = scene.insert();
    let isOver = false;
    outcome.finally(() => (isOver = true)).catch(() => {});
    await scene.waits();
    proxy.cut();
    // From here on the primary shows the row, and the standby has not got it.
    await pair.primary.query(
      "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep' and query ilike 'commit'",
    );
    await eventually(async () => expect(await scene.stored(pair.primary)).toBe(1));
    await scene.waits();
    expect(isOver).toBe(false);
    pair.standby.thaw();
    await outcome;
    expect([scene.attempts(), await scene.stored(pair.primary)]).toEqual([1, 1]);
  });
});
