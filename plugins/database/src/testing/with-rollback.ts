import type { DatabaseService } from '../database-service.js';
import type { OpenSessionOptions, SessionWork } from '../session/database-session.js';
import { markTrial } from '../session/trial.js';

/**
 * Runs the body of a test in a session that is rolled back whatever comes of it: the body sees what it has stored, and the
 * next test finds nothing of it. Every `session`, `transaction`, `read` and `batch` in it becomes a savepoint of that one
 * session, also with `nested: 'separate'`: it can fail alone. The same is true in code that the body calls, for example an
 * HTTP handler made with `repeatable`. Run these savepoints one after the other, not side by side. `openSession()` still
 * opens a session of its own, which may commit.
 *
 * ```ts
 * test('an order is stored', () =>
 *   withRollback(database, async em => {
 *     await orders.place({ sku: 'oak', quantity: 2 });
 *     expect(await em.count(Order)).toBe(1);
 *   }));
 * ```
 *
 * What belongs to COMMIT is not tried: deferred constraints, conflicts of `serializable`, `onCommit`. Sequences
 * are not set back.
 *
 * @throws what `work` threw; what `openSession` throws.
 */
export async function withRollback<T>(
  database: DatabaseService,
  work: SessionWork<T>,
  options: OpenSessionOptions = {},
): Promise<T> {
  await using session = await database.openSession({ name: 'test', ...options });
  markTrial(session);
  return await session.run(() => work(session.em, session));
}
