import { createTestDatabase } from '@keelson/test-support/database';
import { createPostgresqlService } from '@keelson/test-support/postgresql-service';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect, test } from 'vitest';
import { Event, eventModel } from './event-model.js';
import { figureNames } from './figure-names.js';
import { reportFigure } from './micro-report.js';
import { sideBySide } from './side-by-side.js';

test('a session without a statement, beside em.fork()', { timeout: 120_000 }, async () => {
  await using testDatabase = await createTestDatabase();
  await using service = createPostgresqlService({ url: testDatabase.url, models: [eventModel], logLevel: 'warn' });
  const { database } = service;
  await database.connect();
  await using orm = new MikroORM({ entities: [Event], clientUrl: testDatabase.url });
  const calls = {
    'em.fork()': () => orm.em.fork(),
    'openSession() and its end': async () => {
      await using _session = await database.openSession();
    },
    'session(work)': () => database.session(async () => {}),
  };
  const [fork, opened, ran] = await sideBySide(calls, 500);
  if (fork === undefined || opened === undefined || ran === undefined) throw new Error('not measured');
  for (const { name, us } of [fork, opened, ran]) reportFigure({ name, value: us, unit: 'us' });
  reportFigure({ name: figureNames.sessionBeyondFork, value: opened.us - fork.us, unit: 'us' });
  expect(opened.us).toBeGreaterThan(0);
});
