import { randomBytes } from 'node:crypto';

/**
 * Returns a new UUID of version 7 (RFC 9562): it begins with the milliseconds of `at`, so that rows sorted by it are sorted
 * by age, and a range of time is a range of ids.
 */
export function newId(at: Date): string {
  return idOf(at, randomBytes(10));
}

/** Returns the smallest id that `newId` can return for `at`. */
export function firstIdAt(at: Date): string {
  return idOf(at, Buffer.alloc(10));
}

function idOf(at: Date, random: Buffer): string {
  const time = Math.max(0, at.getTime()).toString(16).padStart(12, '0');
  const rest = random.toString('hex');
  const variant = (0x8 | ((random[9] ?? 0) & 0x3)).toString(16);
  return [
    time.slice(0, 8),
    time.slice(8),
    `7${rest.slice(0, 3)}`,
    `${variant}${rest.slice(3, 6)}`,
    rest.slice(6, 18),
  ].join('-');
}
