import type { Clock, Logger } from '@keelson/core';
import { Deadline, isKeelsonError, type KeelsonError } from '@keelson/core';
import { addressFacts, addressOf } from './address.js';
import type { DatabaseDriver } from './driver/driver.js';
import { ConnectionError, causeOf, faultFacts, labelOf } from './errors/connection-error.js';
import { sqlStateOf } from './errors/sql-state.js';
import { judge } from './retry/failure-verdict.js';

export interface ConnectOptions {
  readonly driver: DatabaseDriver;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onAttempt: (attempt: number) => void;
  readonly random?: () => number;
}

const firstPauseMs = 100;
const longestPauseMs = 2_000;

/** Tries until the server answers, the failure is one that no retry mends, or the time is over. */
export async function connectWithin(options: ConnectOptions): Promise<void> {
  const { driver, clock, logger, timeoutMs, random = Math.random } = options;
  const deadline = Deadline.after(timeoutMs, clock);
  const timeUp = new AbortController();
  const timer = clock.schedule(timeoutMs, () => timeUp.abort(new Error('startup budget used up')));
  const signal = AbortSignal.any([options.signal, timeUp.signal]);
  let lastError: unknown;
  try {
    for (let attempt = 1, pauseMs = firstPauseMs; ; attempt++, pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      options.onAttempt(attempt);
      try {
        return await driver.connect(signal);
      } catch (error) {
        options.signal.throwIfAborted();
        if (timeUp.signal.aborted) throw outOfTime(driver, lastError ?? error, attempt, timeoutMs);
        lastError = error;
        const delayMs = random() * pauseMs;
        if (!judge(error, 'acquire').retry) throw refused(driver, error);
        if (deadline.remainingMs() <= delayMs) throw outOfTime(driver, error, attempt, timeoutMs);
        logger.warn('database not reachable yet', {
          ...addressFacts(driver),
          attempt,
          delayMs: Math.round(delayMs),
          ...faultFacts(error),
        });
        await clock.sleep(delayMs, options.signal);
      }
    }
  } finally {
    timer.cancel();
  }
}

/** SQLSTATE -> what the operator is to do. */
const advice: ReadonlyMap<string, [what: string, hint: string]> = new Map([
  ['28P01', ['refused the password', 'Check user and password in the configured url.']],
  ['28000', ['refused the user', 'Check the user, and pg_hba.conf on the server.']],
  ['3D000', ['does not exist on the server', 'Create it, or check the name at the end of the configured url.']],
  ['42501', ['says that this user may not connect', 'Grant CONNECT on the database to the user.']],
]);

/** `The database db:5432/shop`. */
function subject(driver: DatabaseDriver): string {
  const address = addressOf(driver);
  return address === undefined ? 'The database' : `The database ${address}`;
}

function refused(driver: DatabaseDriver, error: unknown): ConnectionError {
  if (isKeelsonError(error)) return inItsWords(driver, error);
  const known = advice.get(sqlStateOf(error) ?? '');
  const [what, hint] = known ?? ['refused the connection', 'Look at the log of the database server.'];
  return new ConnectionError({
    code: 'DATABASE_CONNECT_FAILED',
    message: `${subject(driver)} ${what} (${labelOf(error)}).`,
    hint,
    facts: { ...addressFacts(driver), ...faultFacts(error) },
    cause: causeOf(error),
  });
}

/** The driver knows best what is wrong. */
function inItsWords(driver: DatabaseDriver, error: KeelsonError): ConnectionError {
  const { message, hint = '', facts } = error;
  return new ConnectionError({
    code: 'DATABASE_CONNECT_FAILED',
    message,
    hint,
    facts: { ...addressFacts(driver), ...facts },
    cause: error,
  });
}

function outOfTime(driver: DatabaseDriver, error: unknown, attempts: number, timeoutMs: number): ConnectionError {
  return new ConnectionError({
    code: 'DATABASE_CONNECT_FAILED',
    message: `${subject(driver)} did not answer within ${timeoutMs} ms, ${attempts} attempts (last: ${labelOf(error)}).`,
    hint: 'Check that the server runs and that host and port in the configured url are right.',
    facts: { ...addressFacts(driver), attempts, timeoutMs, ...faultFacts(error) },
    cause: causeOf(error),
  });
}
