import type { DatabaseSession } from './database-session.js';

/** Trials: sessions of tests, which never commit. Every session inside one is a savepoint of it. */
const trials = new WeakSet<DatabaseSession>();

export function markTrial(session: DatabaseSession): void {
  trials.add(session);
}

export function isTrial(session: DatabaseSession): boolean {
  return trials.has(session);
}
