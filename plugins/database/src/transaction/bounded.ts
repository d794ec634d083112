import type { Clock, Deadline } from '@keelson/core';

/** Resolves when `work`, which never rejects, is done, or when `signal` aborts. */
export function orAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return work;
  return new Promise(resolve => {
    const done = () => {
      signal.removeEventListener('abort', done);
      resolve();
    };
    if (signal.aborted) done();
    else signal.addEventListener('abort', done, { once: true });
    void work.then(done);
  });
}

/** What `work` gives; undefined when it has not by the deadline, and goes on unattended. */
export function byDeadline<T>(work: Promise<T>, deadline: Deadline, clock: Clock): Promise<T | undefined> {
  const remainingMs = deadline.remainingMs();
  if (!Number.isFinite(remainingMs)) return work;
  return new Promise((resolve, reject) => {
    const timer = clock.schedule(Math.max(0, remainingMs), () => resolve(undefined), { keepAlive: true });
    work.then(resolve, reject).finally(() => timer.cancel());
  });
}
