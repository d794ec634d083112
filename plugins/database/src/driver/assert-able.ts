import { IsolationUnsupportedError, UnsupportedError } from '../errors/session-errors.js';
import type { TransactionSettings } from '../transaction/transaction-settings.js';
import type { DatabaseDriver } from './driver.js';
import type { DatabaseCapability } from './engine.js';

type Able = Pick<DatabaseDriver, 'name' | 'engine' | 'capabilities'>;

/** @throws UnsupportedError when the database lacks `capability`. */
export function assertAble({ name, engine, capabilities }: Able, capability: DatabaseCapability): void {
  if (!capabilities.has(capability)) throw new UnsupportedError({ driver: name, capability, engine: engine.product });
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
  if ((statementTimeoutMs ?? lockTimeoutMs ?? idleTimeoutMs) !== undefined) assertAble(driver, 'server-timeouts');
}
