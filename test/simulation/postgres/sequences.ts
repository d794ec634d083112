import type { Store } from './store.ts';

/** The last number of each table. */
const lastNumbers = new WeakMap<Store, Map<string, number>>();

function numbersOf(store: Store): Map<string, number> {
  const known = lastNumbers.get(store);
  if (known !== undefined) return known;
  const none = new Map<string, number>();
  lastNumbers.set(store, none);
  return none;
}

/** A number is never given again, also when its transaction is rolled back. */
export function nextOf(store: Store, table: string): string {
  const numbers = numbersOf(store);
  const next = (numbers.get(table) ?? 0) + 1;
  numbers.set(table, next);
  return String(next);
}

export function startAgain(store: Store, table: string): void {
  numbersOf(store).delete(table);
}
