import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from './database.js';
import { eventually } from './eventually.js';
import { queryOnce } from './query-once.js';
import { commitPattern, startTcpProxy, type TcpProxy } from './tcp-proxy.js';

let database: TestDatabase;
let proxy: TcpProxy;
const clients: pg.Client[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  await queryOnce(database.url, 'create table written (id int primary key)');
});
beforeEach(async () => {
  proxy = await startTcpProxy({ to: database.url });
});
afterEach(async () => {
  await proxy.dispose();
  await Promise.all(clients.splice(0).map(client => client.end().catch(() => {})));
});
afterAll(() => database[Symbol.asyncDispose]());

describe('the mode', () => {
  test('pass forwards, also SSL requests, and counts', async () => {
    const client = await connectClient();
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await expect(connectClient({ ssl: true })).rejects.toThrow('does not support SSL');
    expect(proxy.counters).toMatchObject({ connections: 2, roundTrips: 1, bytesToServer: expect.any(Number) });
    expect(proxy.counters.bytesToClient).toBeGreaterThan(100);
  });

  test('refuse closes the port and leaves open connections alone', async () => {
    const client = await connectClient();
    await proxy.setMode('refuse');
    await expect(connectClient()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await expect(client.query('select 1')).resolves.toBeDefined();
    await proxy.setMode('pass');
    await expect(connectClient()).resolves.toBeDefined();
  });

  test('blackhole keeps open and new connections, and answers none until it passes again', async () => {
    const client = await connectClient();
    await proxy.setMode('blackhole');
    let answered = 0;
    const waiting = [client.query('select 1'), connectClient()].map(each => each.then(() => answered++));
    await eventually(() => expect(proxy.open).toBe(2));
    await sleep(50);
    expect(answered).toBe(0);
    await proxy.setMode('pass');
    await Promise.all(waiting);
  });

  test.each(['destroy', 'resetAndDestroy'] as const)(
    'blackhole hides from the server that the client went away (%s)',
    async leave => {
      const client = await connectClient();
      const { rows } = await client.query('select pg_backend_pid() as pid');
      const isThere = () => backendExists(rows[0].pid);
      await proxy.setMode('blackhole');
      const { stream } = client.connection;
      if (stream instanceof Socket) stream[leave]();
      await sleep(50);
      expect(await isThere()).toBe(true);
      await proxy.setMode('pass');
      await eventually(async () => expect(await isThere()).toBe(false));
    },
  );

  test('reset resets open connections and new ones', async () => {
    const client = await connectClient();
    const lost = new Promise<unknown>(resolve => client.once('error', resolve));
    await proxy.setMode('reset');
    expect(await lost).toMatchObject({ code: 'ECONNRESET' });
    await expect(connectClient()).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(proxy.open).toBe(0);
  });
});

test('cut ends open connections on both sides, and new ones work', async () => {
  const client = await connectClient();
  const { rows } = await client.query('select pg_backend_pid() as pid');
  const lost = new Promise<unknown>(resolve => client.once('error', resolve));
  proxy.cut();
  expect(await lost).toMatchObject({ message: 'Connection terminated unexpectedly' });
  await eventually(async () => expect(await backendExists(rows[0].pid)).toBe(false));
  await expect(connectClient()).resolves.toBeDefined();
});

test('stall stops what is open and nothing else, until resume', async () => {
  const stalled = await connectClient();
  proxy.stall();
  let isAnswered = false;
  const waiting = stalled.query('select 1').then(() => {
    isAnswered = true;
  });
  const other = await connectClient();
  await other.query('select 1');
  expect(isAnswered).toBe(false);
  proxy.resume();
  await waiting;
});

test('latency is added to each round trip', async () => {
  const client = await connectClient();
  proxy.latencyMs = 40;
  const start = performance.now();
  await client.query('select 1');
  await client.query('select 1');
  expect(performance.now() - start).toBeGreaterThanOrEqual(80);
});

test('a server that is gone shows as a reset', async () => {
  const target = await startTcpProxy({ to: database.url });
  const front = await startTcpProxy({ to: { host: target.host, port: target.port } });
  await target.setMode('refuse');
  await expect(connectClient({ connectionString: front.url(database.url) })).rejects.toMatchObject({
    code: 'ECONNRESET',
  });
  await Promise.all([target.dispose(), front.dispose()]);
});

test('other protocols pass too', async () => {
  const { createServer } = await import('node:http');
  const http = createServer((_request, response) => response.end('hello'));
  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve));
  const address = http.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const front = await startTcpProxy({ to: { host: '127.0.0.1', port } });
  const response = await fetch(`http://127.0.0.1:${front.port}/`, { headers: { connection: 'close' } });
  expect(await response.text()).toBe('hello');
  await front.dispose();
  http.close();
});

describe.each(['simple', 'extended', 'pipelined'] as const)('onceAtCommit with the %s protocol', protocol => {
  const ids = { before: protocol.length * 10, after: protocol.length * 10 + 1 };

  test('before: the server never hears of it, and the work is undone', async () => {
    const client = await connectClient({ pipeline: protocol === 'pipelined' });
    const done = proxy.onceAtCommit('before');
    await expect(write(client, ids.before)).rejects.toThrow('Connection terminated unexpectedly');
    await done;
    await eventually(async () => expect(await writersInTransaction()).toBe(0));
    expect(await isWritten(ids.before)).toBe(false);
  });

  test('after: the work is done, and the client does not hear of it', async () => {
    const client = await connectClient({ pipeline: protocol === 'pipelined' });
    const done = proxy.onceAtCommit('after');
    await expect(write(client, ids.after)).rejects.toThrow('Connection terminated unexpectedly');
    await done;
    expect(await isWritten(ids.after)).toBe(true);
  });

  test('happens once', async () => {
    const first = await connectClient({ pipeline: protocol === 'pipelined' });
    const done = proxy.onceAtCommit('before');
    await expect(write(first, 1_000)).rejects.toThrow();
    await done;
    const second = await connectClient({ pipeline: protocol === 'pipelined' });
    await expect(write(second, 1_000 + protocol.length)).resolves.toBeUndefined();
  });

  async function write(client: pg.Client, id: number): Promise<void> {
    const commit = protocol === 'simple' ? 'commit' : { text: 'COMMIT', name: 'c', values: [] };
    const steps = ['begin', { text: 'insert into written values ($1)', values: [id] }, commit];
    if (protocol === 'pipelined') await Promise.all(steps.map(step => client.query(step)));
    else for (const step of steps) await client.query(step);
  }
});

test('what was sent ahead of the commit is still answered when its own answer is dropped', async () => {
  const client = await connectClient({ pipeline: true });
  void proxy.onceAtCommit('after');
  const steps = ['begin', 'insert into written values (6)', 'commit', 'select 1'];
  const results = await Promise.allSettled(steps.map(step => client.query(step)));
  expect(results.map(result => result.status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected']);
  expect(await isWritten(6)).toBe(true);
});

test('a commit whose bytes arrive one by one is seen', async () => {
  const client = await connectClient();
  const { stream } = client.connection;
  const write = stream.write.bind(stream);
  let queue = Promise.resolve();
  stream.write = (bytes: Buffer) => {
    for (const byte of bytes) {
      queue = queue.then(() => sleep(1)).then(() => void write(Buffer.of(byte)));
    }
    return true;
  };
  const done = proxy.onceAtCommit('before');
  await expect(client.query('commit')).rejects.toThrow('Connection terminated unexpectedly');
  await done;
});

test('onceAt breaks at any statement', async () => {
  const client = await connectClient();
  void proxy.onceAt(/^insert/i, 'after');
  await client.query('select 1');
  await expect(client.query('insert into written values (5)')).rejects.toThrow('Connection terminated unexpectedly');
  expect(await isWritten(5)).toBe(true);
});

test.each([
  'commit',
  ' COMMIT;',
  'insert into t values (1); commit',
  'end',
  '/* trace */ commit and chain',
  'END WORK;',
])('%j commits', statement => expect(statement).toMatch(commitPattern));

test.each(['select 1', 'rollback', "insert into t values ('commit')", 'do $$ begin null; end $$', 'select end_at'])(
  '%j does not commit',
  statement => expect(statement).not.toMatch(commitPattern),
);

async function connectClient(config: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: proxy.url(), ...config });
  client.on('error', () => {});
  await client.connect();
  clients.push(client);
  return client;
}

async function ask(sql: string, values: unknown[]): Promise<number> {
  const rows = await queryOnce(database.adminUrl, `select count(*)::int as count from ${sql}`, values);
  return rows[0]?.count;
}

async function isWritten(id: number): Promise<boolean> {
  return (await ask('written where id = $1', [id])) === 1;
}

async function backendExists(pid: number): Promise<boolean> {
  return (await ask('pg_stat_activity where pid = $1', [pid])) === 1;
}

function writersInTransaction(): Promise<number> {
  return ask("pg_stat_activity where datname = $1 and state like '%in transaction%'", [database.name]);
}
