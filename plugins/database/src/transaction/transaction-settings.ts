import type { DatabaseDriver, TransactionLimits } from '../driver/driver.js';
import type { Identity } from './identity.js';
import type { IsolationLevel } from './isolation-levels.js';

export interface TransactionSettings {
  readonly readOnly: boolean;
  /** Not from a replica. */
  readonly fresh?: boolean;
  /** A replica shows all up to this position of the driver's. */
  readonly after?: string;
  /** A replica is no further behind, in ms. */
  readonly maxLagMs?: number;
  /** The position of its commit is to be known. */
  readonly tellsPosition?: boolean;
  /** Variables and role, set right after BEGIN. */
  readonly identity?: Identity;
  /** Default: the server's, which is `read committed` unless it was changed. */
  readonly isolation?: IsolationLevel;
  /** With `serializable` and `readOnly`: waits for a snapshot that cannot fail. */
  readonly deferrable?: boolean;
  /** Longest single statement; the server ends it (SQLSTATE 57014). */
  readonly statementTimeoutMs?: number;
  /** Longest wait for a lock; the server gives up (SQLSTATE 55P03). */
  readonly lockTimeoutMs?: number;
  /** Longest pause between two statements; the server ends the connection (SQLSTATE 25P03). */
  readonly idleTimeoutMs?: number;
}

/** Whether a replica may do. A standby has no serializable transactions (PostgreSQL manual, 13.2.3). */
export function mayUseReplica({ readOnly, fresh, isolation }: ReplicaWish): boolean {
  return readOnly === true && fresh !== true && isolation !== 'serializable';
}

export type ReplicaWish = { readonly readOnly?: boolean } & Pick<TransactionSettings, 'fresh' | 'isolation'>;

/**
 * Whether each read may be a transaction of its own: at READ COMMITTED a statement sees what was committed before it
 * began, in one transaction or in several (PostgreSQL manual, 13.2.1).
 */
export function mayStandAlone(
  { readOnly, isolation, deferrable }: TransactionSettings,
  { isReadCommitted }: { readonly isReadCommitted?: boolean },
): boolean {
  return (
    readOnly &&
    deferrable !== true &&
    (isolation ?? 'read committed') === 'read committed' &&
    (isolation !== undefined || isReadCommitted !== false)
  );
}

/** BEGIN and what belongs to it, in the order in which the server must receive it. `limits` hold where the settings say nothing. */
export function beginStatements(settings: TransactionSettings, limits?: TransactionLimits): string[] {
  const begin = ['begin'];
  if (settings.isolation !== undefined) begin.push(`isolation level ${settings.isolation}`);
  if (settings.readOnly) begin.push('read only');
  if (settings.deferrable === true) begin.push('deferrable');
  return [
    begin.join(' '),
    ...setLocal('statement_timeout', settings.statementTimeoutMs ?? limits?.statementTimeoutMs),
    ...setLocal('lock_timeout', settings.lockTimeoutMs ?? limits?.lockTimeoutMs),
    ...setLocal('idle_in_transaction_session_timeout', settings.idleTimeoutMs ?? limits?.idleTimeoutMs),
  ];
}

/**
 * BEGIN of a long piece of work: each statement sees what was committed before it. A pause in it is no mistake, but the server
 * ends one whose client is gone without a sign, and with it its locks.
 */
export function longBeginStatements(
  { engine, capabilities }: Pick<DatabaseDriver, 'engine' | 'capabilities'>,
  limits: Pick<TransactionSettings, 'statementTimeoutMs'> & { readonly idleTimeoutMs: number },
): string[] {
  return beginStatements({
    readOnly: false,
    ...(engine.isolationLevels.has('read committed') && { isolation: 'read committed' }),
    ...(capabilities.has('server-timeouts') && limits),
  });
}

function setLocal(name: string, ms: number | undefined): string[] {
  return ms === undefined ? [] : [`set local ${name} = ${Math.ceil(ms)}`];
}
