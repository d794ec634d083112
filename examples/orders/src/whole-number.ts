import { z } from 'zod';

/** A whole number in a range, with one sentence for any other value. */
export function wholeNumber(lowest: number, highest: number) {
  const message = `must be a whole number from ${lowest} to ${highest}`;
  return z.int(message).min(lowest, message).max(highest, message);
}
