import dns from 'node:dns';
import { connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '@keelson/test-support/eventually';
import { freePort } from '@keelson/test-support/free-port';
import { startHaproxy } from '@keelson/test-support/haproxy';
import type { PostgresServer } from '@keelson/test-support/postgres-server';
import { connectPostgresqlService, type PostgresqlServiceOptions } from '@keelson/test-support/postgresql-service';
import { startReplicatedPostgres } from '@keelson/test-support/replication';
import { seconds } from '../outages/table.js';
import { expectWritable, writeDuring } from './moving-writes.js';
import type { Form, Found, Scenario } from './topology.js';

const needs = ['haproxy'];
const topology = 'HAProxy before a primary and a standby';
const flipMs = 300;
const name = 'flips';

const storedOn = (server: PostgresServer) => async () =>
  (await server.query<{ email: string }>('select email from author', [], name)).map(({ email }) => email);

/** A service, and what is asked of it while HAProxy leads to one server and to the other in turn. */
async function flip(
  form: Form,
  cut: boolean,
  options: NonNullable<PostgresqlServiceOptions['options']>,
): Promise<Found> {
  const longMs = form === 'long' ? 30_000 : 6_000;
  // Without it, a commit that was answered may not have reached the standby yet.
  await using pair = await startReplicatedPostgres({ synchronous: true });
  const direct = await pair.primary.createDatabase(name);
  await using balancer = await startHaproxy({ servers: { primary: pair.primary.url, standby: pair.standby.url } });
  await using service = await connectPostgresqlService({ url: balancer.url(direct), options });
  const { database } = service;
  await database.migrate();
  await pair.caughtUp();
  let flips = 0;
  const { longestMs, ...found } = await writeDuring({ database, stored: storedOn(pair.primary) }, async () => {
    for (const end = performance.now() + longMs; performance.now() < end; flips += 1) {
      await pause(flipMs);
      await balancer.pointTo(flips % 2 === 0 ? 'standby' : 'primary', { cut });
    }
    // The connections to the standby stay open, and none of them may be lent to a write.
    await balancer.pointTo('standby', { cut });
    await pause(flipMs);
    await balancer.pointTo('primary');
  });
  await expectWritable(database);
  return { ...found, notes: `${flips} flips; the longest request took ${seconds(longestMs)}` };
}

/** The standby becomes the primary, the old primary comes back and takes no writes, and only then the address moves. */
async function failOver(form: Form, listens: (servers: Servers) => Promise<MovingAddress>): Promise<Found> {
  await using pair = await startReplicatedPostgres({ synchronous: true });
  const direct = await pair.primary.createDatabase(name);
  await using address = await listens({ before: pair.primary.url, after: pair.standby.url });
  // A commit in doubt at the failover is known by its token alone.
  const options = { commitProof: 'token' as const, listen: { checkIntervalMs: 200, checkTimeoutMs: 1_000 } };
  await using service = await connectPostgresqlService({ url: address.url(direct), options });
  const { database } = service;
  await database.migrate();
  const heard: string[] = [];
  await database.listen('moved', event => void heard.push(event.is === 'gap' ? event.reason : event.payload));
  await pair.caughtUp();
  const { longestMs, ...found } = await writeDuring({ database, stored: storedOn(pair.standby) }, async () => {
    await pause(form === 'long' ? 2_000 : 300);
    // In force from its next start on.
    await pair.primary.query('alter system set default_transaction_read_only to on');
    await pair.primary.kill('SIGKILL');
    await pair.promote();
    await pair.primary.start();
    await pause(form === 'long' ? 3_000 : 1_000);
    await address.move();
  });
  await expectWritable(database);
  await eventually(() => database.listening?.state === 'listening', { timeoutMs: 10_000 });
  await database.session(async (_em, session) => session.notify('moved', 'after'));
  await eventually(() => heard.at(-1) === 'after');
  return { ...found, notes: `the longest request took ${seconds(longestMs)}; messages arrive again` };
}

interface Servers {
  readonly before: string;
  readonly after: string;
}

interface MovingAddress extends AsyncDisposable {
  url(databaseUrl: string): string;
  move(): Promise<void>;
}

async function behindHaproxy(servers: Servers): Promise<MovingAddress> {
  const balancer = await startHaproxy({ servers: { before: servers.before, after: servers.after } });
  return {
    url: databaseUrl => balancer.url(databaseUrl),
    move: () => balancer.pointTo('after'),
    [Symbol.asyncDispose]: () => balancer.dispose(),
  };
}

/** One name and one port, on two addresses of this machine. Open connections stay where they are. */
async function behindName(servers: Servers): Promise<MovingAddress> {
  const hostName = 'database.keelson.test';
  const port = await freePort();
  const addresses = { before: '127.0.0.2', after: '127.0.0.3' };
  const listeners = await Promise.all([
    forward(servers.before, addresses.before, port),
    forward(servers.after, addresses.after, port),
  ]);
  let current = addresses.before;
  const { lookup } = dns;
  const own = (host: string, options: dns.LookupOptions, callback: (...answer: unknown[]) => void) => {
    if (host !== hostName) return lookup(host, options, callback);
    if (options.all === true) callback(null, [{ address: current, family: 4 }]);
    else callback(null, current, 4);
  };
  Object.assign(dns, { lookup: own });
  return {
    url: databaseUrl => Object.assign(new URL(databaseUrl), { hostname: hostName, port: String(port) }).href,
    move: async () => {
      current = addresses.after;
    },
    [Symbol.asyncDispose]: async () => {
      Object.assign(dns, { lookup });
      for (const listener of listeners) listener.close();
    },
  };
}

async function forward(to: string, host: string, port: number) {
  const { hostname, port: toPort } = new URL(to);
  const listener = createServer(client => {
    const server = connect(Number(toPort), hostname);
    client.on('error', () => server.destroy());
    server.on('error', () => client.destroy());
    client.pipe(server).pipe(client);
  });
  await new Promise<void>(resolve => listener.listen(port, host, resolve));
  return listener;
}

export const oneAddressScenarios: readonly Scenario[] = [
  {
    topology,
    needs,
    what: `flipped every ${flipMs} ms, connections cut`,
    run: form => flip(form, true, {}),
  },
  {
    topology,
    needs,
    what: `flipped every ${flipMs} ms, connections left where they are, each opened again every 500 ms`,
    isLong: true,
    run: form => flip(form, false, { pool: { maxLifetimeMs: 500 } }),
  },
  {
    topology,
    needs,
    what: 'failover: the old primary comes back read-only before the address moves',
    run: form => failOver(form, behindHaproxy),
  },
  {
    topology: 'One name, two addresses (DNS)',
    what: 'failover: the old primary comes back read-only before the name moves',
    run: form => failOver(form, behindName),
  },
];
