import type { Measure } from './outage.js';

/** For `npm test`. */
export const shortForm: Measure = {
  requestsPerSecond: 25,
  around: 15,
  between: 15,
  // More than the default, which takes 10 s to come back after each outage.
  retriesPerSecond: 10,
  outageMs: 700,
  shortDeadlineMs: 1_500,
  repetitions: 3,
  // Generous: the machine is busy with other tests.
  firstSuccessMs: 10_000,
  graceMs: 1_000,
};

/** For `npm run outages`. */
export const longForm: Measure = {
  requestsPerSecond: 50,
  around: 75,
  between: 100,
  // The default.
  retriesPerSecond: 3,
  outageMs: 3_000,
  shortDeadlineMs: 3_000,
  repetitions: 20,
  firstSuccessMs: 500,
  graceMs: 500,
};
