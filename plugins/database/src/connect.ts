import type { Clock, Logger } from '@keelson/core';
import { Deadline, isKeelsonError, type KeelsonError } from '@keelson/core';
import { addressFacts, addressOf } from './address.js';
import type { DatabaseDriver } from './driver/driver.js';
import { connectFailureOf, refusalInItsWords } from './errors/connect-failure.js';
import { ConnectionError, causeOf, faultFacts, kindFacts, labelOf } from './errors/connection-error.js';
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

/** `The database db:5432/shop`. */
function subject(driver: DatabaseDriver): string {
  const address = addressOf(driver);
  return address === undefined ? 'The database' : `The database ${address}`;
}

function refused(driver: DatabaseDriver, error: unknown): ConnectionError {
  if (isKeelsonError(error)) return inItsWords(driver, error);
  const failure = connectFailureOf(error) ?? refusalInItsWords(error);
  return new ConnectionError({
    code: 'DATABASE_CONNECT_FAILED',
    message: `${subject(driver)} ${failure?.says ?? 'refused the connection'} (${labelOf(error)}).`,
    hint: failure?.hint ?? 'Check the log of the database server.',
    facts: { ...addressFacts(driver), ...kindFacts(failure), ...faultFacts(error) },
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
  const failure = connectFailureOf(error) ?? refusalInItsWords(error);
  const last = failure === undefined ? labelOf(error) : `it ${failure.says}, ${labelOf(error)}`;
  return new ConnectionError({
    code: 'DATABASE_CONNECT_FAILED',
    message: `${subject(driver)} accepted no connection within ${timeoutMs} ms, ${attempts} attempts (last: ${last}).`,
    hint: failure?.hint ?? 'Check that the server runs and that host and port in the configured url are right.',
    facts: { ...addressFacts(driver), attempts, timeoutMs, ...kindFacts(failure), ...faultFacts(error) },
    cause: causeOf(error),
  });
}
