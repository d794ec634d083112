import { type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import { connectPostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import { startTcpProxy } from '@keelson/test-support/tcp-proxy';
import { afterAll, beforeAll, expect, test } from 'vitest';

let server: PostgresServer;

beforeAll(async () => {
  // A page that is written for the first time after a checkpoint would be in the log as a whole.
  server = await startPostgres({ settings: { full_page_writes: 'off', autovacuum: 'off', bgwriter_lru_maxpages: 0 } });
});
afterAll(() => server.dispose());

const units = 200;

/** What a unit with one insert costs, on the wire and in the log of the server, in bytes. */
async function costOf(commitProof: 'transaction-id' | 'token' | 'none') {
  const name = `cost_${commitProof.replace('-', '_')}`;
  await using proxy = await startTcpProxy({ to: await server.createDatabase(name) });
  await using service = await connectPostgresqlService({ url: proxy.url(), options: { commitProof } });
  const { database } = service;
  await database.migrate();
  let emails = 0;
  const insert = () => database.session(em => em.insert(Author, { email: `${++emails}@example.org` }));
  const position = async () => {
    const [row] = await server.query<{ at: string }>(
      "select (pg_current_wal_insert_lsn() - '0/0')::text as at",
      [],
      name,
    );
    return Number(row?.at);
  };
  // Until all statements are prepared.
  for (let count = 0; count < 10; count += 1) await insert();
  const recording = proxy.recording();
  const { bytesToServer, bytesToClient } = proxy.counters;
  const before = await position();
  for (let count = 0; count < units; count += 1) await insert();
  const log = (await position()) - before;
  return {
    roundTrips: recording.roundTrips / units,
    statements: recording.statements.flat().length / units,
    toServer: Math.round((proxy.counters.bytesToServer - bytesToServer) / units),
    toClient: Math.round((proxy.counters.bytesToClient - bytesToClient) / units),
    log: Math.round(log / units),
  };
}

test('a token costs no round trip and no further statement, and some bytes', { timeout: 60_000 }, async () => {
  const [none, id, token] = [await costOf('none'), await costOf('transaction-id'), await costOf('token')];
  expect([token.roundTrips, token.statements, none.statements]).toEqual([2, id.statements, id.statements - 1]);
  expect(token.toServer + token.toClient).toBeLessThan(id.toServer + id.toClient);
  // A row and an entry of an index.
  expect(token.log - id.log).toBeLessThan(200);
});
