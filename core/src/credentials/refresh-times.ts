/** After a failure, and between two looks for another credential than a refused one. */
export const firstPauseMs = 1_000;
const longestPauseMs = 60_000;

/** The part of its time that is left when a credential is renewed: from a fifth to a third. */
const ahead = { least: 0.2, most: 1 / 3 };

/** One that lasts for a month is not renewed a week earlier. */
const longestAheadMs = 3_600_000;

export function nextPauseMs(pauseMs: number | undefined): number {
  return pauseMs === undefined ? firstPauseMs : Math.min(pauseMs * 2, longestPauseMs);
}

/**
 * The time until the next credential is obtained, at random within bounds, so that the instances of a service do not ask
 * at the same time. Undefined: it is renewed when it is refused.
 */
export function refreshInMs(given: {
  readonly expiresInMs: number | undefined;
  readonly refreshMs: number | undefined;
  readonly random: () => number;
}): number | undefined {
  const { expiresInMs, refreshMs, random } = given;
  if (expiresInMs === undefined) return refreshMs && refreshMs * (1 - random() * 0.1);
  const share = ahead.least + (ahead.most - ahead.least) * random();
  const aheadMs = Math.min(expiresInMs * share, longestAheadMs * (1 + random()));
  return Math.max(firstPauseMs, expiresInMs - aheadMs);
}
