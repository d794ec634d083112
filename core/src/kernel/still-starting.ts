import type { RunningPlugin } from './running-plugin.js';

/**
 * `Still starting after 5 s: database (waits for a connection to db:5432). Then: orders (needs database).`
 */
export function stillStarting(running: readonly RunningPlugin[], elapsedMs: number): string {
  const busy = running.flatMap(({ key, busy }) => {
    if (busy === false) return [];
    return [busy.waitsFor === undefined ? key : `${key} (waits for ${busy.waitsFor})`];
  });
  const keys = running.filter(plugin => plugin.busy).map(plugin => plugin.key);
  const waiting = running
    .filter(plugin => plugin.outcome === 'not-tried' && !plugin.busy && !plugin.leftOut)
    .map(({ key, planned }) => {
      const needs = keys.filter(other => planned.needs.has(other));
      return needs.length === 0 ? key : `${key} (needs ${needs.join(', ')})`;
    });
  const then = waiting.length === 0 ? '' : ` Then: ${waiting.join(', ')}.`;
  return `Still starting after ${Math.round(elapsedMs / 100) / 10} s: ${busy.join(', ') || 'the plan'}.${then}`;
}
