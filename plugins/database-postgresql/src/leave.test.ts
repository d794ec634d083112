import { createTestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { queryOnce } from '@keelson/test-support/query-once';
import { startTcpProxy } from '@keelson/test-support/tcp-proxy';
import pg from 'pg';
import { expect, test } from 'vitest';
import { asPgClient, leave } from './pg-internals.js';

test('a client that leaves closes its socket when the server is gone, and ends its backend when it is there', async () => {
  await using database = await createTestDatabase();
  await using proxy = await startTcpProxy({ to: database.url });
  const [gone, there] = [new pg.Client(proxy.url()), new pg.Client(database.url)];
  await Promise.all([gone.connect(), there.connect()]);
  proxy.stall();

  leave(gone);
  leave(there);
  const sockets = [gone, there].map(client => asPgClient(client).connection.stream);
  await eventually(() => sockets.every(socket => socket.destroyed));

  const backends = `select pid from pg_stat_activity where pid = ${asPgClient(there).processID}`;
  await eventually(async () => expect(await queryOnce(database.url, backends)).toEqual([]));
});
