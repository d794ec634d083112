import type { DatabaseSession } from './database-session.js';

/** Sessions of tests, that never commit: every session inside one is a savepoint of it. */
const rehearsals = new WeakSet<DatabaseSession>();

export function rehearse(session: DatabaseSession): void {
  rehearsals.add(session);
}

export function isRehearsal(session: DatabaseSession): boolean {
  return rehearsals.has(session);
}
