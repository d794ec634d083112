import type { DatabaseDriver } from '../driver/driver.js';
import { NestedOptionsError } from '../errors/session-errors.js';
import { mayUseReplica, type TransactionSettings } from '../transaction/transaction-settings.js';
import { positionIn } from './consistency-token.js';
import type { SessionOptions } from './database-session.js';
import { identityMisfits, type SessionIdentity } from './session-identity.js';

/** What work inside a session may ask of a transaction. */
export type AskedOfTransaction = Omit<SessionOptions, 'isolation'> & {
  /** As MikroORM names it too. */
  readonly isolation?: string | undefined;
};

/** Whether the transaction around it is already as an option asks. */
type Fits = (asked: AskedOfTransaction, outer: TransactionSettings) => boolean;

const own =
  (name: 'isolation' | 'statementTimeoutMs' | 'lockTimeoutMs' | 'idleTimeoutMs'): Fits =>
  (asked, outer) =>
    asked[name] === undefined || asked[name] === outer[name];

const ofTransaction: readonly (readonly [option: string, fits: Fits])[] = [
  ['isolation', own('isolation')],
  ['deferrable', (asked, outer) => asked.deferrable !== true || outer.deferrable === true],
  ['fresh', (asked, outer) => asked.fresh !== true || !mayUseReplica(outer)],
  ['after', ({ after }, outer) => after === undefined || !mayUseReplica(outer) || outer.after === positionIn(after)],
  [
    'maxLagMs',
    ({ maxLagMs }, outer) =>
      maxLagMs === undefined || !mayUseReplica(outer) || (outer.maxLagMs ?? Number.POSITIVE_INFINITY) <= maxLagMs,
  ],
  ['consistencyToken', (asked, outer) => asked.consistencyToken !== true || outer.tellsPosition === true],
  ['statementTimeoutMs', own('statementTimeoutMs')],
  ['lockTimeoutMs', own('lockTimeoutMs')],
  ['idleTimeoutMs', own('idleTimeoutMs')],
  ['verifyCommitted', asked => asked.verifyCommitted === undefined],
];

/**
 * Checks what work inside a session with the settings `given` asks of a transaction. `readOnly` is not among it: a read may
 * join a session that writes.
 *
 * @throws NestedOptionsError when the transaction is another.
 */
export function assertFits(
  asked: AskedOfTransaction,
  given: TransactionSettings,
  { isReadCommitted }: Pick<DatabaseDriver, 'isReadCommitted'>,
): void {
  const outer = isReadCommitted === false ? given : { isolation: 'read committed' as const, ...given };
  const refused = ofTransaction.filter(([, fits]) => !fits(asked, outer)).map(([option]) => option);
  if (asked.session !== undefined) refused.push(...identityMisfits(asked.session, given.identity));
  if (refused.length > 0) throw new NestedOptionsError(refused);
}

/**
 * The same for the variables and the role alone.
 *
 * @throws NestedOptionsError when they are others.
 */
export function assertIdentityFits(asked: SessionIdentity, { identity }: TransactionSettings): void {
  const refused = identityMisfits(asked, identity);
  if (refused.length > 0) throw new NestedOptionsError(refused);
}
