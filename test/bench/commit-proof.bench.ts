import { createTestDatabase } from '@keelson/test-support/database';
import { createPostgresqlService } from '@keelson/test-support/postgresql-service';
import { expect, test } from 'vitest';
import { Event, eventModel, eventRows } from './event-model.js';
import { reportFigure } from './micro-report.js';
import { sideBySide } from './side-by-side.js';

const proofs = ['none', 'transaction-id', 'token'] as const;

test('a session with one insert, with each proof of its commit', { timeout: 240_000 }, async () => {
  await using stack = new AsyncDisposableStack();
  const { url } = stack.use(await createTestDatabase());
  const calls: Record<string, () => Promise<unknown>> = {};
  const [row] = eventRows(1);
  if (row === undefined) throw new Error('no row to insert');
  for (const commitProof of proofs) {
    const service = createPostgresqlService({ url, models: [eventModel], options: { commitProof }, logLevel: 'warn' });
    const { database } = stack.use(service);
    await database.connect();
    await database.migrate();
    calls[commitProof] = () => database.session(em => em.insert(Event, row));
  }
  const costs = await sideBySide(calls, 30);
  for (const { name, us } of costs) {
    reportFigure({ name: `a session with one insert, commitProof: ${name}`, value: us, unit: 'us' });
  }
  expect(costs).toHaveLength(proofs.length);
});
