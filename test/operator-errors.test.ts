import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createTestDatabase } from '@keelson/test-support/database';
import { freePort } from '@keelson/test-support/free-port';
import { startPostgres } from '@keelson/test-support/postgres-server';
import { runCli } from '@keelson/test-support/service-process';
import { expect, test } from 'vitest';

/** What an operator sees of a start that failed: sentences, and neither a stack nor a secret. */
async function failedStart(variables: Readonly<Record<string, string>>): Promise<string> {
  const { code, stdout, stderr } = await runCli({ variables: { KEELSON_ENV: 'postgres', ...variables } });
  const output = stderr + stdout;
  expect({ code, output }).toMatchObject({ code: 1 });
  expect(output).not.toMatch(/^\s+at /m);
  expect(output).not.toContain('node_modules');
  return stderr;
}

test('a missing variable is named, with its place and what to do', async () => {
  const said = await failedStart({});

  expect(said).toContain('keelson.postgres.yaml:3');
  expect(said).toContain('The variable DATABASE_URL is not set.');
  expect(said).toContain('-> Set DATABASE_URL');
});

test('all missing variables are named at once', async () => {
  const said = await failedStart({ KEELSON_ENV: 'production' });

  expect(said).toContain('The variable DATABASE_URL is not set.');
  expect(said).toContain('The variable SENTRY_DSN is not set.');
});

test('a port that is taken is named, with how to find who has it', async () => {
  await using database = await createTestDatabase();
  const other = createServer().listen(0);
  await once(other, 'listening');
  const address = other.address();
  const port = String(typeof address === 'object' ? address?.port : undefined);
  try {
    const said = await failedStart({ DATABASE_URL: database.url, PORT: port });

    expect(said).toContain(`Port ${port} is in use by another process.`);
    expect(said).toContain(`lsof -i :${port}`);
  } finally {
    other.close();
  }
});

test('a wrong password is reported at once, without the password', async () => {
  // A server of its own: one that was given may let everybody in.
  await using server = await startPostgres();
  const url = new URL(await server.createDatabase('orders'));
  url.password = 'hush-hush';

  const said = await failedStart({ DATABASE_URL: url.href });

  expect(said).toMatch(/password/i);
  expect(said).toContain('-> ');
  expect(said).not.toContain('hush-hush');
});

test('a database that does not exist is reported at once', async () => {
  await using database = await createTestDatabase();
  const url = new URL(database.url);
  url.pathname = '/no_such_database';

  const said = await failedStart({ DATABASE_URL: url.href });

  expect(said).toMatch(/does not exist/);
  expect(said).toContain('-> ');
});

test('a server that does not answer is reported when the time to connect is over', async () => {
  const url = `postgresql://orders:orders@127.0.0.1:${await freePort()}/orders`;

  const said = await failedStart({ DATABASE_URL: url, KEELSON_DATABASE__CONNECT__TIMEOUT_MS: '300' });

  expect(said).toContain('ECONNREFUSED');
  expect(said).toContain('-> ');
});

test('a value of the wrong kind is refused with where it came from', async () => {
  const said = await failedStart({ DATABASE_URL: 'mysql://127.0.0.1/orders', PORT: 'eighty' });

  expect(said).toContain('keelson.postgres.yaml:3');
  const lines = readFileSync(new URL('../examples/orders/keelson.yaml', import.meta.url), 'utf8').split('\n');
  expect(said).toContain(`keelson.yaml:${lines.findIndex(line => line.startsWith('  http:')) + 1}`);
});
