import type { Backend } from './backend.ts';
import { problems } from './sql-error.ts';
import type { Transaction } from './store.ts';

const pauseMs = 10;

/** Waits until no other transaction that is running now may still write the table. */
export async function waitForWriters(on: Backend, lock: string): Promise<void> {
  const { locks } = on.server.store;
  const request = { by: on, name: lock, mode: 'share', isOfSession: false } as const;
  const before = transactionsOf(locks.blockers(request));
  await until(on, () => before.filter(isRunning));
}

/** Waits until no other transaction sees what was before. Between its statements, one that is read committed sees nothing. */
export async function waitForSnapshots(on: Backend): Promise<void> {
  const looking = () => [...on.server.backends.values()].filter(backend => backend !== on && hasSnapshot(backend));
  const before = new Set(transactionsOf(looking()));
  await until(on, () => transactionsOf(looking()).filter(transaction => before.has(transaction)));
}

function hasSnapshot({ transaction, state }: Backend): boolean {
  if (transaction?.snapshot === undefined) return false;
  return transaction.isolation !== 'read committed' || state === 'active';
}

function transactionsOf(all: readonly { readonly transaction: Transaction | undefined }[]): readonly Transaction[] {
  return all.flatMap(({ transaction }) => transaction ?? []);
}

function isRunning({ state }: Transaction): boolean {
  return state === 'running';
}

async function until(on: Backend, blockers: () => readonly Transaction[]): Promise<void> {
  const transaction = on.current();
  transaction.waitsFor = blockers;
  on.waitEvent = 'virtualxid';
  try {
    while (blockers().length > 0) {
      if (on.server.store.isDeadlocked(transaction)) throw problems.deadlock();
      await on.sleep(pauseMs);
    }
  } finally {
    transaction.waitsFor = undefined;
    on.waitEvent = '';
  }
}
