import { heedsSignal } from './errors.js';
import type { RunningPlugin } from './running-plugin.js';

type Busy = Exclude<RunningPlugin['busy'], false>;

/**
 * `Still starting after 5 s: database (waits for a connection to db:5432). Then: orders (needs database).`
 */
export function stillStarting(running: readonly RunningPlugin[], elapsedMs: number): string {
  const busy = running.flatMap(({ key, busy }) => (busy === false ? [] : [`${key} (${doing(busy)})`]));
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

function doing({ step, waitsFor }: Busy): string {
  if (waitsFor !== undefined) return `waits for ${waitsFor}`;
  return heedsSignal(step) ? `does not say what its ${step} waits for` : `its ${step}`;
}
