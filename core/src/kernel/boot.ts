import type { Container } from 'inversify';
import { Clock } from '../clock.js';
import { Lifecycle } from './lifecycle.js';
import type { Plan } from './plan.js';
import type { RunningPlugin, Surroundings } from './running-plugin.js';
import { slots } from './slots.js';

/** Binds what every service has: the clock, the lifecycle, and what stands in for the slots nobody fills. */
export function bindStandards(container: Container, plan: Plan, { clock, lifecycle }: Surroundings): void {
  container.bind(Clock).toConstantValue(clock);
  container.bind(Lifecycle).toConstantValue(lifecycle);
  for (const slot of slots) {
    if (slot.standard === undefined || plan.plugins.some(plugin => plugin.key === slot.name)) continue;
    container.bind(slot.token).toConstantValue(slot.standard.create(clock));
  }
}

/**
 * Imports, registers, starts and lets work in, one step after the other, and stops at the step or level in which
 * something failed. True when everything is ready; what happened otherwise is in the plugins.
 */
export async function boot(plan: Plan, running: readonly RunningPlugin[], cancel: AbortSignal): Promise<boolean> {
  const sound = () => !cancel.aborted && running.every(plugin => plugin.error === undefined);
  const levels = plan.levels.map((_level, index) => running.filter(plugin => plugin.planned.level === index));

  await Promise.all(running.map(plugin => plugin.import()));
  if (!sound()) return false;
  // One after the other, so that what a plugin binds never depends on who was faster.
  for (const plugin of running) await plugin.register();
  if (!sound()) return false;
  for (const level of levels) {
    await Promise.all(level.map(plugin => plugin.start(cancel)));
    if (!sound()) return false;
  }
  for (const level of levels) {
    await Promise.all(level.map(plugin => plugin.ready(cancel)));
    if (!sound()) return false;
  }
  return true;
}
