import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';

const fixture = fileURLToPath(new URL('./incrementing.fixture.ts', import.meta.url));
const times = 30;

let testDatabase: TestDatabase;
let admin: pg.Client;

beforeEach(async () => {
  testDatabase = await createTestDatabase();
  admin = new pg.Client(testDatabase.url);
  await admin.connect();
  await admin.query('create table counter (value integer not null)');
  await admin.query('insert into counter values (0)');
});

afterEach(async () => {
  await admin.end();
  await testDatabase[Symbol.asyncDispose]();
});

function start(): ChildProcess {
  const env = { ...process.env, INCREMENTING_URL: testDatabase.url, INCREMENTING_TIMES: String(times) };
  return spawn(process.execPath, [fixture], { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

async function nextMessage(child: ChildProcess): Promise<unknown> {
  const [message] = await once(child, 'message');
  return message;
}

test('two processes that increment one row at once, serializable, store every increment within the default deadline', async () => {
  const children = [start(), start()];
  try {
    await Promise.all(children.map(nextMessage));
    const results = Promise.all(children.map(nextMessage));
    for (const child of children) child.send('go');
    for (const result of await results) {
      expect(result).toEqual({ failures: [], conflicts: expect.any(Number) });
      // Each process has met conflicts: it was not one after the other.
      expect(Reflect.get(Object(result), 'conflicts')).toBeGreaterThan(0);
    }
    const { rows } = await admin.query('select value from counter');
    expect(rows).toEqual([{ value: 2 * times }]);
    await Promise.all(children.map(child => child.exitCode ?? once(child, 'exit')));
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}, 60_000);
