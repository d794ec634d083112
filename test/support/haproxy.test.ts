import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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
});
