import { type ConnectionProvider, ControlledTransaction, SingleConnectionProvider } from 'kysely';
import { ConcurrentUseError } from '../errors/session-errors.js';
import type { LazyTransaction } from '../transaction/lazy-transaction.js';
import type { EntityManager } from './entity-manager.js';
import { SessionContext } from './session-context.js';
import { createDialect } from './session-driver.js';
import { TransactionConnection } from './transaction-connection.js';

/** A transaction that has its connection asks for none. */
const dialect = createDialect({ acquire: () => Promise.reject(new Error('bug: a transaction without a connection')) });
const driver = dialect.createDriver();
const config = { dialect };

/** Whether a subscriber takes part in the begin of a transaction; then only `em.begin()` will do, and its caller waits. */
export function isBeginObserved(em: EntityManager): boolean {
  for (const subscriber of em.getEventManager().getSubscribers()) {
    if ('beforeTransactionStart' in subscriber || 'afterTransactionStart' in subscriber) return true;
  }
  return false;
}

/** Binds `em` to `transaction` as `em.begin()` does, without waiting for anything. */
export function beginAtOnce(em: EntityManager, transaction: LazyTransaction): void {
  const context = new SessionContext(transaction, () => kyselyOf(em, transaction));
  em.setTransactionContext(context);
}

function kyselyOf(em: EntityManager, transaction: LazyTransaction): ControlledTransaction<unknown> {
  const connection = { connection: new TransactionConnection(transaction), release() {} };
  const provider = besideNoStream(transaction, new SingleConnectionProvider(connection.connection));
  const executor = em.getConnection('write').getClient().getExecutor().withConnectionProvider(provider);
  return new ControlledTransaction({ config, dialect, driver, executor, connection });
}

/** Kysely lets all else wait for an open stream, also what its reader waits for. */
function besideNoStream(transaction: LazyTransaction, provider: ConnectionProvider): ConnectionProvider {
  return {
    provideConnection: async consumer => {
      if (transaction.isRead) throw new ConcurrentUseError();
      return provider.provideConnection(consumer);
    },
  };
}
