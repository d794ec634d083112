import { equal, fail, ok } from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { isKeelsonError, type KeelsonError } from '@keelson/core';
import type { DatabaseService } from '../database-service.js';
import type { EntityManager } from '../orm/entity-manager.js';
import { Account } from './conformance-model.js';

/** What `promise` rejects with; an AssertionError when it resolves. */
export function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => fail('expected a rejection, and it resolved'),
    (error: unknown) => error,
  );
}

/** Rejects with a KeelsonError of this code. May be awaited later: until then its rejection counts as handled. */
export function rejectsWith(promise: Promise<unknown>, code: string): Promise<KeelsonError> {
  const checked = checkRejection(promise, code);
  checked.catch(() => {});
  return checked;
}

async function checkRejection(promise: Promise<unknown>, code: string): Promise<KeelsonError> {
  const error = await rejection(promise);
  ok(isKeelsonError(error), `expected ${code}, got ${String(error)}`);
  equal(error.code, code, error.message);
  return error;
}

/** Repeats `check` until it does not throw; after five seconds it may. */
export async function eventually(check: () => void | Promise<void>): Promise<void> {
  for (const until = performance.now() + 5_000; ; ) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > until) throw error;
      await sleep(5);
    }
  }
}

/** Every open connection is idle, and no caller waits. */
export async function isAtRest(database: DatabaseService): Promise<void> {
  await eventually(() => {
    const { total, idle, busy, waiting } = database.stats();
    const numbers = `total=${total}, idle=${idle}, busy=${busy}, waiting=${waiting}`;
    ok(total === idle && busy === 0 && waiting === 0, `after the case nothing is lent: ${numbers}`);
  });
}

export async function addAccount(em: EntityManager, email: string): Promise<void> {
  await em.insert(Account, { email });
}

/** What is stored, as a session of its own sees it. */
export async function storedEmails(database: DatabaseService): Promise<string[]> {
  const accounts = await database.read(em => em.find(Account, {}, { orderBy: { email: 'asc' } }));
  return accounts.map(({ email }) => email);
}

export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** Resolves for everybody once `count` have come. */
export function meetingOf(count: number): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let here = 0;
  return () => {
    here += 1;
    if (here === count) resolve();
    return promise;
  };
}
