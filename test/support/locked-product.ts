import pg from 'pg';
import { eventually } from './eventually.js';

/** The lock on the row of one product of `examples/orders`, in the hands of a test: who wants the row has to wait. */
export interface LockedProduct extends AsyncDisposable {
  /** Resolves once somebody waits for the row. */
  isWaitedFor(): Promise<void>;
  /** Locks a further product. Rejects at once when another has it. */
  lockToo(sku: string): Promise<void>;
  release(): Promise<void>;
}

/** @param url of the database. */
export async function lockProduct(url: string, sku: string): Promise<LockedProduct> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const lock = async (which: string) => {
    const { rowCount } = await client.query('select from products where sku = $1 for update nowait', [which]);
    if (rowCount !== 1) throw new Error(`There is no product ${which}`);
  };
  await client.query('begin');
  await lock(sku);
  return {
    isWaitedFor: () =>
      eventually(async () => {
        const waiters = 'select from pg_locks where not granted and transactionid = pg_current_xact_id()::xid';
        const { rowCount } = await client.query(waiters);
        return rowCount === 0 ? false : undefined;
      }),
    lockToo: lock,
    release: async () => {
      await client.query('commit');
    },
    [Symbol.asyncDispose]: () => client.end(),
  };
}
