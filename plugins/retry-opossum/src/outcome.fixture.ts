import type { FakeClock } from '@keelson/core/testing';

/** Settles `promise` by pushing the clock by at most `ms`, and returns how and when. */
export async function outcomeBy(clock: FakeClock, promise: Promise<unknown>, ms = 60_000) {
  const outcome = promise.then(
    value => ({ value, error: undefined, atMs: clock.now() }),
    (error: unknown) => ({ value: undefined, error, atMs: clock.now() }),
  );
  await clock.advance(ms);
  return await outcome;
}
