import type { Backend } from './backend.ts';
import type { LockMode } from './lock-table.ts';

/** A lock of a key that clients choose. */
export interface AdvisoryOf<Key> {
  readonly key: Key;
  readonly isShared: boolean;
  /** Kept until it is unlocked or the session ends; otherwise until the end of the transaction. */
  readonly isOfSession: boolean;
}

export type Advisory = AdvisoryOf<string>;

const nameOf = (key: string) => `advisory ${key}`;

function modeOf({ isShared }: Advisory): LockMode {
  return isShared ? 'share' : 'exclusive';
}

/** False when another session has it. */
export function tryLock(on: Backend, advisory: Advisory): boolean {
  on.current();
  const { key, isOfSession } = advisory;
  return on.server.store.locks.take({ by: on, name: nameOf(key), mode: modeOf(advisory), isOfSession });
}

export function waitForLock(on: Backend, advisory: Advisory): Promise<void> {
  return on.lock(nameOf(advisory.key), modeOf(advisory), { isOfSession: advisory.isOfSession });
}

/** False when the session does not have it. */
export function unlock(on: Backend, advisory: Advisory): boolean {
  return on.server.store.locks.unlock(on, nameOf(advisory.key), modeOf(advisory));
}

/** Whether any session has it; pg_locks has the two halves of its key. */
export function isLocked(on: Backend, high: string, low: string): boolean {
  const key = BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
  return on.server.store.locks.isHeld(nameOf(String(key)));
}

/** Returns whether the session has an advisory lock. */
export function hasAny(on: Backend): boolean {
  return on.server.store.locks.holds(on, 'advisory ');
}
