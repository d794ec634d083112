import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from './database.js';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';

describe('a recording of the wire', () => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  beforeAll(async () => {
    database = await createTestDatabase();
    proxy = await startTcpProxy({ to: database.url });
  });
  afterAll(async () => {
    await proxy.dispose();
    await database[Symbol.asyncDispose]();
  });

  test('leaves out what it takes to connect and to close', async () => {
    const recording = proxy.recording();
    await withClient({}, async () => {});
    expect(recording.roundTrips).toBe(0);
  });

  test('counts one round trip for each statement that is waited for, and says what was sent', async () => {
    await withClient({}, async client => {
      const recording = proxy.recording();
      await client.query('begin');
      await client.query('select $1::int', [7]);
      await client.query('commit');
      expect(recording.statements).toEqual([['begin'], ['select $1::int'], ['commit']]);
    });
  });

  test('several statements in one query are one round trip', async () => {
    await withClient({}, async client => {
      const recording = proxy.recording();
      await client.query('begin; select 1; commit');
      expect(recording.statements).toEqual([['begin; select 1; commit']]);
    });
  });

  test('knows the text of a statement prepared earlier', async () => {
    await withClient({}, async client => {
      const prepared = { name: 'p', text: 'select 1 + $1::int', values: [1] };
      await client.query(prepared);
      const recording = proxy.recording();
      await client.query(prepared);
      expect(recording.statements).toEqual([['select 1 + $1::int']]);
    });
  });

  test('what is sent before the first answer arrives is one round trip', async () => {
    await withClient({ pipeline: true }, async client => {
      const recording = proxy.recording();
      await Promise.all([client.query('begin'), client.query('select $1::int', [1]), client.query('commit')]);
      await Promise.all([client.query('select 2'), client.query('select 3')]);
      expect(recording.statements).toEqual([
        ['begin', 'select $1::int', 'commit'],
        ['select 2', 'select 3'],
      ]);
    });
  });

  test('what is sent after the first answer arrived is another, though the second is still awaited', async () => {
    await withClient({ pipeline: true }, async client => {
      const recording = proxy.recording();
      const quick = client.query('select 1');
      const slow = client.query('select pg_sleep(0.1)');
      await quick;
      const late = client.query('select 3');
      await Promise.all([slow, late]);
      expect(recording.statements).toEqual([['select 1', 'select pg_sleep(0.1)'], ['select 3']]);
    });
  });

  test('a statement that fails is a round trip', async () => {
    await withClient({}, async client => {
      const recording = proxy.recording();
      await expect(client.query('select 1/0')).rejects.toMatchObject({ code: '22012' });
      await expect(client.query('select $1::int', ['x'])).rejects.toMatchObject({ code: '22P02' });
      await client.query('select 2');
      expect(recording.roundTrips).toBe(3);
    });
  });

  test('counts each connection alone, and when each was answered', async () => {
    await withClient({}, first =>
      withClient({}, async second => {
        const recording = proxy.recording();
        await Promise.all([first.query('select 1'), second.query('select 2')]);
        const [one, two] = recording.trips;
        expect(one?.connection).not.toBe(two?.connection);
        for (const trip of recording.trips) expect(trip.answeredAtMs).toBeGreaterThan(trip.sentAtMs);
        recording.clear();
        expect(recording.roundTrips).toBe(0);
      }),
    );
  });

  test('a large result is one round trip', async () => {
    await withClient({}, async client => {
      const recording = proxy.recording();
      const { rows } = await client.query('select repeat($1, 1000) as text from generate_series(1, 5000)', ['x']);
      expect(rows).toHaveLength(5_000);
      expect(recording.roundTrips).toBe(1);
    });
  });

  async function withClient(config: pg.ClientConfig, work: (client: pg.Client) => Promise<void>): Promise<void> {
    const client = new pg.Client({ connectionString: proxy.url(), ...config });
    await client.connect();
    await work(client).finally(() => client.end());
  }
});
