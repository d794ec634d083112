import type { DatabaseService } from '../../database-service.js';
import { driverOf } from '../../driver/driver-of.js';
import { Sandbox } from './sandbox.js';

/**
 * Runs the body of a test while the whole service works in one transaction, which is rolled back whatever comes of it:
 * requests over HTTP, jobs, `openSession()`. Each session of the service is a savepoint, and has the outcome that it would
 * have: it commits or fails alone, `onCommit` is called, and later sessions see what it has stored.
 *
 * ```ts
 * test('a note is stored', () =>
 *   withSandbox(database, async () => {
 *     expect((await fetch(`${url}/notes`, request)).status).toBe(201);
 *     expect(await database.read(em => em.count(Note))).toBe(1);
 *   }));
 * ```
 *
 * Sessions wait for each other, as on a pool of one connection. A session with `nested: 'separate'` waits when the session
 * around it has sent a statement, and fails when its own time is over. Deferred constraints are checked when a session
 * commits. Not tried: isolation levels, replicas, messages of channels, which are sent by a real COMMIT only. `now()`
 * stands still. Sequences are not set back. The role, the variables and the limits that one session sets hold until another
 * sets them.
 *
 * @throws what `work` threw.
 * @throws TypeError for a double, for a service that a plugin has wrapped, and inside another sandbox of the service.
 */
export async function withSandbox<T>(database: DatabaseService, work: () => Promise<T>): Promise<T> {
  const driver = driverOf(database);
  if (driver === undefined) throw new TypeError('withSandbox needs the DatabaseService of a database plugin.');
  await using _sandbox = await Sandbox.open(driver);
  return await work();
}
