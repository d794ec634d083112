import { Deadline, systemClock } from '@keelson/core';
import { RecordingLogger } from '@keelson/core/testing';
import { createTestDatabase } from '@keelson/test-support/database';
import { expect, test } from 'vitest';
import { optionsSchema } from './options.js';
import { PostgresqlDriver } from './postgresql-driver.js';
import { startRelay } from './relay.fixture.js';

test('a stream whose connection is lost after its last row, before the server is ready, rejects', async () => {
  await using database = await createTestDatabase();
  const relay = await startRelay(database.url);
  const options = optionsSchema.parse({ url: relay.url });
  const driver = new PostgresqlDriver(options, { logger: new RecordingLogger(), clock: systemClock, directory: '.' });
  const connection = await driver.acquire({ deadline: Deadline.after(5_000, systemClock), readOnly: false });
  const read = async () => {
    const rows = connection.stream({ sql: 'select generate_series(1, 3) as n' }, 2);
    for await (const _ of rows) relay.cutBeforeReady();
  };
  await expect(read()).rejects.toThrow('Connection terminated');
  expect(connection.status).toBe('lost');
  connection.release();
  await driver.close(Deadline.after(1_000, systemClock));
  relay.close();
});
