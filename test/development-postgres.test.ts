import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { queryOnce } from '@keelson/test-support/query-once';
import { afterAll, expect, test } from 'vitest';
import { DevelopmentPostgres } from '../core/src/cli/dev/development-postgres.js';

const directory = mkdtempSync(join(tmpdir(), 'keelson-development-postgres-'));
// As root, the server runs as another user.
chmodSync(directory, 0o755);
symlinkSync(fileURLToPath(new URL('../node_modules', import.meta.url)), join(directory, 'node_modules'), 'junction');
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The name of the database that `url` leads to. */
async function databaseAt(url: string): Promise<unknown> {
  const rows = await queryOnce(url, 'select current_database() as name');
  return rows[0]?.name;
}

test('the PostgreSQL of keelson dev has a database of each name that the service ever had', {
  timeout: 60_000,
}, async () => {
  for (const database of ['orders', 'billing', 'orders']) {
    await using server = await DevelopmentPostgres.start({ directory, database });
    expect(await databaseAt(server.url)).toBe(database);
  }
});

test('a process that has the id of a server that was killed gets no signal', { timeout: 60_000 }, async () => {
  const signals: string[] = [];
  const note = (signal: string) => signals.push(signal);
  process.on('SIGINT', note);
  const other = createServer();
  const port = await new Promise<unknown>(resolve => {
    other.listen(0, '127.0.0.1', () => resolve(Object(other.address()).port));
  });
  const left = join(directory, '.data/postgres/data/postmaster.pid');
  writeFileSync(left, `${process.pid}\n${join(directory, '.data/postgres/data')}\n0\n${port}\n`);
  {
    await using server = await DevelopmentPostgres.start({ directory, database: 'orders' });
    expect(await databaseAt(server.url)).toBe('orders');
  }
  process.off('SIGINT', note);
  other.close();
  expect(signals).toEqual([]);
});
