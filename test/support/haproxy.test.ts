import { createServer } from 'node:http';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from './eventually.js';
import { hasHaproxy, startHaproxy } from './haproxy.js';
import { type PostgresServer, startPostgres } from './postgres-server.js';

describe.skipIf(!hasHaproxy)('the haproxy of a test', () => {
  let one: PostgresServer;
  let two: PostgresServer;

  beforeAll(async () => {
    [one, two] = await Promise.all([startPostgres(), startPostgres()]);
  });
  afterAll(() => Promise.all([one.dispose(), two.dispose()]));

  const connectTo = async (url: string) => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    await client.connect();
    return client;
  };
  const portOf = async (client: pg.Client) => (await client.query('select inet_server_port() as port')).rows[0]?.port;

  test('leads new connections to the server it points to, and ends open ones when they are cut', async () => {
    await using balancer = await startHaproxy({ servers: { one: one.url, two: two.url } });
    const before = await connectTo(balancer.url(one.url));
    expect(await portOf(before)).toBe(one.port);
    await balancer.pointTo('two');
    const after = await connectTo(balancer.url(one.url));
    expect([await portOf(before), await portOf(after)]).toEqual([one.port, two.port]);
    const ended = new Promise<void>(resolve => after.once('end', resolve));
    await balancer.pointTo('one', { cut: true });
    await ended;
    expect(await portOf(before)).toBe(one.port);
    await expect(balancer.command('set server db/three state ready')).rejects.toThrow('haproxy');
    await before.end();
  });

  test('uses the server whose health check answers 200, and ends the connections to one that no longer does', async () => {
    let leader = 'one';
    const healthOf = async (name: string) => {
      const health = createServer((request, response) => {
        response.statusCode = request.url === '/primary' && leader === name ? 200 : 503;
        response.end();
      });
      await new Promise<void>(resolve => health.listen(0, '127.0.0.1', resolve));
      const address = health.address();
      if (address === null || typeof address === 'string') throw new Error('It has no port');
      return { port: address.port, [Symbol.dispose]: () => void health.close() };
    };
    using first = await healthOf('one');
    using second = await healthOf('two');
    await using balancer = await startHaproxy({
      servers: { one: one.url, two: two.url },
      checks: { path: '/primary', ports: { one: first.port, two: second.port }, everyMs: 50 },
    });
    const leadsTo = (port: number) =>
      eventually(async () => {
        const client = await connectTo(balancer.url(one.url));
        const found = await portOf(client);
        if (found === port) return client;
        await client.end();
        throw new Error(`leads to ${found}`);
      });
    const before = await leadsTo(one.port);
    const ended = new Promise<void>(resolve => before.once('end', resolve));
    leader = 'two';
    await ended;
    const after = await leadsTo(two.port);
    await after.end();
  });
});
