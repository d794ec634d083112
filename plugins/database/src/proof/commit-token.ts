import { randomUUID } from 'node:crypto';

/**
 * A random id that begins with the time (UUID version 7): tokens that are written one after the other stand one after the
 * other in the index of the table, and the old ones together at its beginning.
 */
export function newToken(nowMs: number): string {
  return `${timePart(nowMs)}-7${randomUUID().slice(15)}`;
}

/** No token that is made from `nowMs` on comes before it. */
export function firstTokenAt(nowMs: number): string {
  return `${timePart(nowMs)}-7000-8000-000000000000`;
}

function timePart(nowMs: number): string {
  const hex = Math.max(0, Math.floor(nowMs)).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}
