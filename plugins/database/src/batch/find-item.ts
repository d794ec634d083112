import { originOf } from '../errors/fault-origin.js';
import { serverDetailsOf, sqlStateOf } from '../errors/sql-state.js';

/** The work knows which of its items the server refused. */
export class ItemFailure extends Error {
  /** In the chunk, from 0. */
  readonly index: number;

  constructor(index: number, cause: unknown) {
    super('an item of a batch failed', { cause });
    this.index = index;
  }
}

/** The server of `driver` found fault with a value: classes 22 (data), 23 (constraints) and 44 (check option), and P0001 (RAISE). */
export function isAboutData(error: unknown, driver: object): boolean {
  const state = sqlStateOf(error);
  return originOf(error) === driver && state !== undefined && (/^(22|23|44)/.test(state) || state === 'P0001');
}

/** Stores the items alone and takes them back; resolves to what the server had against them. */
export type Probe<Item> = (items: readonly Item[]) => Promise<unknown>;

/**
 * The first item that makes `probe` fail as `error` says: by halves, so a chunk of 500 costs ten probes. Undefined when
 * the chunk does not fail alone.
 */
export async function findItem<Item>(
  items: readonly Item[],
  error: unknown,
  probe: Probe<Item>,
): Promise<number | undefined> {
  const fails = async (count: number) => sameFault(await probe(items.slice(0, count)), error);
  if (!(await fails(items.length))) return undefined;
  let stored = 0;
  let failing = items.length;
  while (failing - stored > 1) {
    const middle = Math.floor((stored + failing) / 2);
    if (await fails(middle)) failing = middle;
    else stored = middle;
  }
  return failing - 1;
}

function sameFault(one: unknown, other: unknown): boolean {
  return (
    one !== undefined &&
    sqlStateOf(one) === sqlStateOf(other) &&
    serverDetailsOf(one).constraint === serverDetailsOf(other).constraint
  );
}
