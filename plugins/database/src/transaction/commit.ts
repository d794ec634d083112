import type { Clock, Deadline } from '@keelson/core';
import type { BatchOutcome, DatabaseDriver, Statement } from '../driver/driver.js';
import { TransactionFailedError } from '../errors/session-errors.js';
import { isDefiniteRefusal } from '../errors/sql-state.js';
import { byDeadline } from './bounded.js';
import type { HeldConnection } from './held-connection.js';
import type { StatementTracer } from './statement-tracer.js';
import type { TransactionSettings } from './transaction-settings.js';
import type { UnitOutcome } from './unit-outcome.js';

export interface CommitOptions {
  readonly outcome: UnitOutcome;
  readonly settings: Pick<TransactionSettings, 'readOnly' | 'tellsPosition'>;
  readonly driver: Pick<DatabaseDriver, 'positionProbe'>;
  readonly deadline: Deadline;
  readonly clock: Clock;
  readonly tracer?: StatementTracer | undefined;
}

/** As a span shows it. */
const unanswered: BatchOutcome = {
  results: [],
  failure: { error: Object.assign(new Error('no answer to COMMIT by the deadline'), { code: 'ETIMEDOUT' }) },
};

const commit: readonly Statement[] = [{ sql: 'commit' }];

/**
 * Commits what was done over the connection; over none, nothing was. Gives the position of the commit, when that was wanted
 * and the server has said it. Rejects when the server has not said that it is done.
 */
export async function commitOn(held: HeldConnection, options: CommitOptions): Promise<string | undefined> {
  const { outcome, settings, deadline, clock, tracer } = options;
  const connection = held.current;
  // Nothing can be lost with a read-only transaction, so its caller does not wait for COMMIT; the connection does.
  if (connection === undefined || settings.readOnly) {
    outcome.move({ it: 'was committed' });
    if (connection === undefined || connection.status === 'idle') held.release();
    else held.releaseAfter(connection.run(commit));
    return undefined;
  }
  outcome.move({ it: 'sent COMMIT' });
  const probe = settings.tellsPosition === true ? options.driver.positionProbe : undefined;
  const span = tracer?.beginStatement('commit');
  const answer = connection.run(probe === undefined ? commit : [...commit, probe]);
  // It is never cancelled: its answer is what everybody wants to know.
  const answered = await byDeadline(answer, deadline, clock);
  tracer?.endStatement(span, answered ?? unanswered);
  if (answered === undefined) {
    const error = new Error('no answer to COMMIT by the deadline');
    outcome.move({ it: 'lost COMMIT', error, late: true });
    held.releaseAfter(answer);
    throw error;
  }
  held.release();
  settle(outcome, answered);
  return textOf(answered.results[1]?.rows[0]?.position);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function settle(outcome: UnitOutcome, { results, failure }: BatchOutcome): void {
  // What failed behind COMMIT says nothing of it.
  if (failure === undefined || results.length > 0) {
    // COMMIT of a failed transaction is answered with success and the tag ROLLBACK.
    const committed = results[0]?.command === 'COMMIT';
    outcome.move({ it: committed ? 'was committed' : 'was refused' });
    if (committed) return;
    throw new TransactionFailedError();
  }
  const { error } = failure;
  outcome.move(isDefiniteRefusal(error) ? { it: 'was refused' } : { it: 'lost COMMIT', error, late: false });
  throw error;
}
