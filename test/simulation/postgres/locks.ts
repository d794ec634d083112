import type { Backend } from './backend.ts';
import { problems } from './sql-error.ts';
import type { Entry, Row, Strength } from './store.ts';

/** Waits for the row, and gives it as it is then. */
export async function claim(on: Backend, entry: Entry, strength?: Strength): Promise<Row | undefined> {
  const { store } = on.server;
  const transaction = on.current();
  await on.hold(entry, strength);
  if (store.hasChanged(transaction, entry)) {
    if (transaction.isolation !== 'read committed') throw problems.serialization();
    store.takeSnapshot(transaction);
  }
  return store.latest(transaction, entry);
}

export function assertWritable(on: Backend, what: string): void {
  if (on.isReadOnlyTransaction) throw problems.readOnly(what);
}
