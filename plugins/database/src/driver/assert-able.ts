import { IsolationUnsupportedError, LastingStateError, UnsupportedError } from '../errors/session-errors.js';
import { assertLeavesNoState } from '../transaction/no-lasting-state.js';
import type { TransactionSettings } from '../transaction/transaction-settings.js';
import type { DatabaseDriver } from './driver.js';
import type { DatabaseCapability } from './engine.js';
import { isDefinition } from './lasting-state.js';

type Able = Pick<DatabaseDriver, 'name' | 'engine' | 'capabilities' | 'lastingNameIn'>;

/** @throws UnsupportedError when the database lacks `capability`. */
export function assertAble({ name, engine, capabilities }: Able, capability: DatabaseCapability): void {
  if (!capabilities.has(capability)) throw new UnsupportedError({ driver: name, capability, engine: engine.product });
}

/** Whether the statements of a session are to be looked at before they are sent: some would outlive a rollback, or its end. */
export function checksStatements({ capabilities }: Able): boolean {
  return !(capabilities.has('session-state') && capabilities.has('transactional-ddl'));
}

/** @throws LastingStateError, UnsupportedError for a statement whose effect others would see, or that the database could not undo. */
export function assertEndsWithTransaction(driver: Able, sql: string): void {
  if (!driver.capabilities.has('session-state')) {
    assertLeavesNoState(sql);
    const by = driver.lastingNameIn?.(sql);
    if (by !== undefined) throw new LastingStateError({ by });
  }
  if (isDefinition(sql)) assertAble(driver, 'transactional-ddl');
}

/**
 * Whether a transaction can be as it is asked for.
 *
 * @throws UnsupportedError, IsolationUnsupportedError.
 */
export function assertAbleToBegin(driver: Able, settings: TransactionSettings): void {
  const { isolation, statementTimeoutMs, lockTimeoutMs, idleTimeoutMs } = settings;
  const { isolationLevels, product } = driver.engine;
  if (isolation !== undefined && !isolationLevels.has(isolation)) {
    throw new IsolationUnsupportedError({ isolation, available: [...isolationLevels].join(', '), engine: product });
  }
  // A database in the process of the service has never had limits: with one connection no statement waits for a lock.
  if (!driver.capabilities.has('multi-connection')) return;
  if ((statementTimeoutMs ?? lockTimeoutMs ?? idleTimeoutMs) !== undefined) assertAble(driver, 'server-timeouts');
}
