import type { DatabaseService, DatabaseSession, EntityManager, SessionOptions } from '@keelson/database';
import { untilAtRest } from '@keelson/test-support/at-rest';
import { eventually } from '@keelson/test-support/eventually';
import {
  connectPostgresqlService,
  type PostgresqlService,
  type PostgresqlServiceOptions,
} from '@keelson/test-support/postgresql-service';
import { type ReplicatedPostgres, startReplicatedPostgres } from '@keelson/test-support/replication';
import { Author } from '@keelson/test-support/sample-model';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import { migrateDatabase } from '@keelson/test-support/test-service';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hasReached, positionProbe, reachedProbe, type WalPosition, walPositionIn } from './wal-position.js';

type Replicas = Exclude<NonNullable<PostgresqlServiceOptions['options']>['replicas'], readonly string[] | undefined>;

describe('reads that see what was stored before', () => {
  let pair: ReplicatedPostgres;
  let primary: TcpProxy;
  let standby: TcpProxy;
  let url: string;
  let service: PostgresqlService;
  let database: DatabaseService;
  let ids = 0;

  beforeAll(async () => {
    pair = await startReplicatedPostgres();
    url = await pair.primary.createDatabase('consistency');
    await migrateDatabase(url);
    await pair.caughtUp();
    primary = await startTcpProxy({ to: url });
    standby = await startTcpProxy({ to: pair.standby.url });
  });
  afterAll(async () => {
    await primary.dispose();
    await standby.dispose();
    await pair.dispose();
  });
  afterEach(async () => {
    await primary.setMode('pass');
    await pair.resumeReplay();
    await untilAtRest(database);
    await service[Symbol.asyncDispose]();
    await pair.caughtUp();
  });

  const open = async (replicas: Partial<Replicas> = {}) => {
    const given = { urls: [standby.url(url)], checkIntervalMs: 20, maxLagMs: 60_000, ...replicas };
    const pool = { pingAfterIdleMs: 60_000 };
    service = await connectPostgresqlService({ url: primary.url(url), options: { replicas: given, pool } });
    database = service.database;
    await eventually(async () => {
      expect((await database.health()).facts?.hosts).toMatchObject({ 1: { role: 'replica', state: 'fit' } });
    });
  };

  /** Stores one more author. Gives its id and the token of its commit. */
  const store = async (options: SessionOptions = {}) => {
    const id = ++ids;
    let session: DatabaseSession | undefined;
    await database.session(
      async (em, own) => {
        session = own;
        await em.insert(Author, { id, email: `author-${id}@example.org` });
      },
      { consistencyToken: true, ...options },
    );
    return { id, token: session?.consistencyToken ?? '' };
  };
  const seen = async (em: EntityManager, id: number) => {
    const [row] = await em.execute(
      `select inet_server_port() as port, count(*)::int as count from author where id = ?`,
      [id],
    );
    return { sees: row?.count === 1, by: row?.port === pair.standby.port ? 'standby' : 'primary' };
  };
  const look = (id: number, options: SessionOptions = {}) => database.read(em => seen(em, id), options);

  test('a session has a token when it asks for one, and that costs no round trip', async () => {
    await open();
    await store();
    const recording = primary.recording();
    const { token } = await store();
    expect(token).toMatch(/^[\w-]{20,100}$/);
    expect(recording.roundTrips).toBe(2);
    expect(recording.statements[1]?.join(';')).toMatch(/^commit\b[\s\S]*pg_current_wal_insert_lsn\(\)/);
    const without = primary.recording();
    expect((await store({ consistencyToken: false })).token).toBe('');
    expect([without.roundTrips, without.statements[1]]).toEqual([2, ['commit']]);
    await using unused = await database.openSession({ consistencyToken: true });
    await unused.commit();
    expect(unused.consistencyToken).toBeUndefined();
  });

  test('a read after a token is answered by a replica that shows the commit, in one round trip', async () => {
    await open();
    const { id, token } = await store();
    await pair.caughtUp();
    expect(await look(id, { after: token })).toEqual({ sees: true, by: 'standby' });
    await eventually(() => expect(database.stats().busy).toBe(0));
    const recording = standby.recording();
    await look(id, { after: token, session: { variables: { 'app.tenant': 'a' } } });
    await eventually(() => expect(database.stats().busy).toBe(0));
    const mine = recording.statements.filter(([first]) => first === 'begin read only');
    expect(mine).toHaveLength(1);
    expect(mine[0]?.map(text => text.slice(0, 20))).toEqual([
      'begin read only',
      'select (select syste',
      'select set_config($1',
      'select inet_server_p',
      'commit',
    ]);
  });

  test('100 writes, each read at once with its token: all are seen', async () => {
    await open({ catchUpMs: 5 });
    const by = new Set<string>();
    for (let round = 0; round < 100; round++) {
      const { id, token } = await store();
      const read = await look(id, { after: token });
      expect(read.sees).toBe(true);
      by.add(read.by);
    }
    expect(by.size).toBeGreaterThan(0);
  });

  describe('while the replica replays nothing', () => {
    const behind = async (replicas: Partial<Replicas> = {}) => {
      await open({ catchUpMs: 30, ...replicas });
      await pair.pauseReplay();
      const stored = await store();
      expect(await look(stored.id)).toEqual({ sees: false, by: 'standby' });
      return stored;
    };

    test('the primary answers when the wait is over', async () => {
      const { id, token } = await behind();
      expect(await look(id, { after: token })).toEqual({ sees: true, by: 'primary' });
      expect(await look(id)).toEqual({ sees: false, by: 'standby' });
      await pair.resumeReplay();
      await pair.caughtUp();
      expect(await look(id, { after: token })).toEqual({ sees: true, by: 'standby' });
    });

    test('the same for a snapshot, a stream, nested work and each statement of a session', async () => {
      const { id, token } = await behind();
      const after = { after: token };
      const there = { sees: true, by: 'primary' };
      expect(await look(id, { ...after, isolation: 'repeatable read' })).toEqual(there);
      expect(await database.read(async em => [await seen(em, id), await seen(em, id)], after)).toEqual([there, there]);
      expect(await database.read(() => database.transaction(inner => seen(inner, id)), after)).toEqual(there);
      const streamed = await database.read(async em => {
        const found: unknown[] = [];
        for await (const author of em.stream(Author, { where: { id } })) found.push(author.id);
        return found;
      }, after);
      expect(streamed).toEqual([id]);
    });

    test('a read that waits is answered by the replica as soon as that has replayed it', async () => {
      const { id, token } = await behind({ catchUpMs: 20_000 });
      const waiting = ['read committed', 'repeatable read'].map(isolation =>
        look(id, { after: token, isolation: isolation as 'read committed' }),
      );
      await eventually(() => expect(database.stats().busy).toBe(2));
      await pair.resumeReplay();
      expect(await Promise.all(waiting)).toEqual([
        { sees: true, by: 'standby' },
        { sees: true, by: 'standby' },
      ]);
    });

    test('a read that waits ends with its session', async () => {
      const { id, token } = await behind({ catchUpMs: 20_000 });
      await expect(look(id, { after: token, timeoutMs: 100 })).rejects.toMatchObject({
        code: 'DATABASE_SESSION_ABORTED',
      });
    });

    test('an error is the answer when the primary cannot be reached, never old data', async () => {
      const { id, token } = await behind();
      await primary.setMode('refuse');
      primary.cut();
      await expect(look(id, { after: token, timeoutMs: 1_000 })).rejects.toThrow();
      expect(await look(id)).toEqual({ sees: false, by: 'standby' });
    });

    test('the primary answers for a token of a commit whose answer was lost', async () => {
      await open({ catchUpMs: 30 });
      await pair.pauseReplay();
      const cut = primary.onceAtCommit('after');
      const { id, token } = await store();
      await cut;
      expect(await look(id, { after: token })).toEqual({ sees: true, by: 'primary' });
    });

    test('a read bounds how far its replica may be behind', async () => {
      const { id } = await behind();
      expect(await look(id, { maxLagMs: 30_000 })).toEqual({ sees: false, by: 'standby' });
      await eventually(async () => expect(await look(id, { maxLagMs: 200 })).toEqual({ sees: true, by: 'primary' }));
      await pair.resumeReplay();
      await eventually(async () => expect(await look(id, { maxLagMs: 200 })).toEqual({ sees: true, by: 'standby' }));
    });
  });

  test('a read that bounds the lag asks a replica that was not asked for long, and none without a measure', async () => {
    await open({ checkIntervalMs: 60_000, catchUpMs: 2_000 });
    const { id } = await store();
    await pair.caughtUp();
    expect(await look(id, { maxLagMs: 1_000 })).toMatchObject({ by: 'standby' });
    await service[Symbol.asyncDispose]();
    await open({ maxLagMs: 'any' });
    expect(await look(id)).toMatchObject({ by: 'standby' });
    expect(await look(id, { maxLagMs: 60_000 })).toMatchObject({ by: 'primary' });
  });

  test('the primary answers for a token that is no token, or of another cluster or timeline', async () => {
    await open();
    const { id, token } = await store();
    await pair.caughtUp();
    const [system, timeline, lsn] = Buffer.from(token, 'base64url').toString().split('.');
    const tokens = [
      '',
      'no token',
      'x'.repeat(10_000),
      "1.1.0/0'::pg_lsn or true --",
      `1.${timeline}.${lsn}`,
      `${system}.2.${lsn}`,
      `${system}.${timeline}.0/0'`,
    ];
    for (const text of tokens) {
      for (const after of [text, Buffer.from(text).toString('base64url')]) {
        expect(await look(id, { after }), text.slice(0, 30)).toEqual({ sees: true, by: 'primary' });
      }
    }
    expect(await look(id, { after: token })).toEqual({ sees: true, by: 'standby' });
  });

  test('a session inside another asks for nothing that the session around it does not promise', async () => {
    await open();
    const { id, token } = await store();
    await pair.caughtUp();
    const inside = (outer: SessionOptions, inner: SessionOptions) =>
      database.session(() => database.session(em => seen(em, id), inner), outer);
    const refused = { code: 'DATABASE_NESTED_OPTIONS' };
    for (const readOnly of [true, undefined]) {
      const asked: SessionOptions = { after: token, maxLagMs: 10_000, ...(readOnly && { readOnly }) };
      await expect(inside({ readOnly: true }, asked)).rejects.toMatchObject(refused);
      expect(await inside({}, asked)).toMatchObject({ sees: true });
      expect(await inside({ readOnly: true, ...asked }, asked)).toMatchObject({ sees: true });
    }
    await expect(inside({}, { consistencyToken: true })).rejects.toMatchObject(refused);
    expect(await inside({ consistencyToken: true }, { consistencyToken: true })).toMatchObject({ sees: true });
  });
});

test('a failover makes no replica answer for a token from before it', async () => {
  await using pair = await startReplicatedPostgres();
  const url = await pair.primary.createDatabase('timelines');
  const positionOn = async (server: typeof pair.primary) => {
    const [row] = await server.query<{ position: string }>(positionProbe.sql, [], 'timelines');
    const position = walPositionIn(row?.position ?? '');
    if (position === undefined) throw new Error(`no position: ${row?.position}`);
    return position;
  };
  const reaches = async (server: typeof pair.primary, position: WalPosition) => {
    const { sql, parameters = [] } = reachedProbe(position);
    return hasReached((await server.query(sql, [...parameters], 'timelines'))[0]);
  };
  expect(url).toContain('timelines');
  const before = await positionOn(pair.primary);
  await pair.caughtUp();
  expect([await reaches(pair.primary, before), await reaches(pair.standby, before)]).toEqual([true, true]);
  expect(await reaches(pair.standby, { ...before, lsn: 'F/0' })).toBe(false);
  await pair.primary.kill('SIGKILL');
  await pair.promote();
  const after = await positionOn(pair.standby);
  expect([before.timeline, after.timeline]).toEqual(['1', '2']);
  expect([await reaches(pair.standby, before), await reaches(pair.standby, after)]).toEqual([false, true]);
});
