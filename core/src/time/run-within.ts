import type { Clock } from '../contract/clock.js';

export interface RunWithin<T> {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Ends the wait as well; its reason is thrown. */
  readonly cancel?: AbortSignal | undefined;
  /** Given a signal that aborts when the time is over or the wait was cancelled. */
  readonly work: (signal: AbortSignal) => T | Promise<T>;
  /** Makes the error to throw when the time is over; `last` is the error that the work threw soon after the abort. */
  readonly onTimeout: (last: unknown) => Error;
  /**
   * Extra time for aborted work to throw the reason why it had not finished, in milliseconds; 0 for work that ignores
   * its signal. Default 250.
   */
  readonly partingMs?: number | undefined;
}

export const defaultPartingMs = 250;

/**
 * Runs work, but waits no longer than its time. Work that ignores its signal goes on in the background; an error that it
 * throws later is dropped.
 */
export async function runWithin<T>({
  clock,
  timeoutMs,
  cancel,
  work,
  onTimeout,
  partingMs = defaultPartingMs,
}: RunWithin<T>): Promise<T> {
  cancel?.throwIfAborted();
  const over = Symbol('over');
  const time = new AbortController();
  const timer = clock.schedule(timeoutMs, () => time.abort(over), { keepAlive: true });
  const signal = cancel === undefined ? time.signal : AbortSignal.any([cancel, time.signal]);
  const running = (async () => work(signal))();
  try {
    const ended = await Promise.race([running.then(value => ({ value })), aborted(signal)]);
    if (ended !== undefined) return ended.value;
    const last = partingMs > 0 ? await parting(running, clock, Math.min(partingMs, timeoutMs)) : undefined;
    throw time.signal.aborted ? onTimeout(last) : cancel?.reason;
  } finally {
    timer.cancel();
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise(resolve => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

async function parting(running: Promise<unknown>, clock: Clock, longestMs: number): Promise<unknown> {
  const waited = new AbortController();
  const settled = running.then(
    () => undefined,
    (error: unknown) => error,
  );
  const pause = clock.sleep(longestMs, waited.signal).catch(() => undefined);
  try {
    return await Promise.race([settled, pause]);
  } finally {
    waited.abort();
  }
}
