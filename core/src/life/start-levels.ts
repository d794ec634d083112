import { Standby } from '../container/standby.js';
import { Clock } from '../contract/clock.js';
import { Lifecycle } from '../contract/lifecycle.js';
import type { ServiceToken } from '../contract/token.js';
import { kernelTokens, providersOf } from '../plan/dependencies.js';
import type { Plan, PlannedPlugin } from '../plan/plan.js';
import { slots } from '../plan/slots.js';
import { oneByOne } from '../time/one-by-one.js';
import type { KernelOptions } from './kernel-options.js';
import type { RunningPlugin } from './running-plugin.js';
import type { Surroundings } from './surroundings.js';

/** For each optional plugin of a slot that has a silent default: the standby that holds its place. */
export function makeStandbys(plan: Plan, clock: Clock): Map<string, Standby> {
  const standbys = new Map<string, Standby>();
  for (const { key, optional } of plan.plugins) {
    const standard = slots.find(slot => slot.name === key)?.standard;
    if (optional && standard !== undefined) standbys.set(key, new Standby(standard.create(clock) as object));
  }
  return standbys;
}

/** Binds what every service has: the clock, the lifecycle, the standbys, and the silent defaults of the empty slots. */
export function bindStandards(plan: Plan, { container, clock, lifecycle, standbys }: Surroundings): void {
  container.bind(Clock).toConstantValue(clock);
  container.bind(Lifecycle).toConstantValue(lifecycle);
  for (const { name, token, standard } of slots) {
    const standby = standbys.get(name);
    if (standby !== undefined) container.bind(token).toConstantValue(standby.service).whenDefault();
    else if (standard !== undefined && !plan.plugins.some(plugin => plugin.key === name)) {
      container.bind(token).toConstantValue(standard.create(clock)).whenDefault();
    }
  }
}

/** The tokens nobody may bind but the one who provides them. */
export function exclusiveTokens(plan: Plan): Set<ServiceToken> {
  const provided = plan.plugins.flatMap(plugin => plugin.manifest.provides ?? []);
  return new Set([...kernelTokens, ...slots.map(slot => slot.token), ...provided]);
}

/**
 * Imports, registers, starts and lets work in, one step after the other, and stops at the step or level in which
 * something failed that is not optional. True when everything is ready; what happened otherwise is in the plugins.
 * With `only`, nothing but the plugins it picks and what they need is started, and no work is let in.
 */
export async function boot(
  plan: Plan,
  running: readonly RunningPlugin[],
  cancel: AbortSignal,
  only: KernelOptions['only'],
): Promise<boolean> {
  const step = async (plugins: readonly RunningPlugin[], work: Work, each = sideBySide) => {
    await each(plugins, async plugin => {
      if (plugin.error !== undefined) return;
      await work(plugin);
      if (plugin.error !== undefined && plugin.planned.optional) await plugin.giveUp();
    });
    return !cancel.aborted && running.every(plugin => plugin.error === undefined || plugin.planned.optional);
  };
  const inLevels = async (work: Work) => {
    for (const level of plan.levels) {
      const members = running.filter(plugin => level.some(planned => planned.key === plugin.key));
      if (!(await step(members, work))) return false;
    }
    return true;
  };

  for (const plugin of running) plugin.leaveOut(only !== undefined);
  if (!(await step(running, plugin => plugin.import(cancel), oneByOne))) return false;
  // One after the other, so that what a plugin binds never depends on who was faster.
  for (const plugin of running) if (!cancel.aborted) await step([plugin], () => plugin.register(cancel));
  const perSession = plan.plugins.flatMap(plugin => plugin.manifest.perSession ?? []);
  if (!(await step(running, plugin => plugin.checkLifetimes(perSession)))) return false;
  const chosen = only === undefined ? undefined : withNeeds(running.filter(only), plan);
  for (const plugin of running) plugin.leaveOut(chosen?.has(plugin.key) === false);
  const started = await inLevels(async plugin => {
    if (!plugin.leftOut && canStart(plugin, running)) await plugin.start(cancel);
  });
  if (!started || only !== undefined) return started;
  return inLevels(async plugin => {
    if (plugin.outcome === 'started') await plugin.ready(cancel);
  });
}

type Work = (plugin: RunningPlugin) => Promise<void>;

async function sideBySide(plugins: readonly RunningPlugin[], work: Work): Promise<void> {
  await Promise.all(plugins.map(work));
}

/** Whether what the plugin requires is there: only an optional plugin with nothing in its place can be missing. */
export function canStart({ planned }: RunningPlugin, running: readonly RunningPlugin[]): boolean {
  const plugins = running.map(plugin => plugin.planned);
  return (planned.manifest.requires ?? []).every(required => {
    const [provider] = providersOf(required, plugins);
    if (provider === undefined || hasStandard(provider)) return true;
    return running.some(plugin => plugin.key === provider.key && plugin.outcome === 'started');
  });
}

function hasStandard(provider: PlannedPlugin): boolean {
  return slots.some(slot => slot.name === provider.key && slot.standard !== undefined);
}

/**
 * The keys of the plugins and of everything they need, directly or not. A server that is merely used is left out: it
 * would let work in, and the running service may hold its port.
 */
function withNeeds(plugins: readonly RunningPlugin[], plan: Plan): Set<string> {
  const wanted = new Set(plugins.map(plugin => plugin.key));
  for (const key of wanted) {
    for (const [need, reason] of plan.plugins.find(plugin => plugin.key === key)?.needs ?? []) {
      if (need !== 'http' || reason.startsWith('requires')) wanted.add(need);
    }
  }
  return wanted;
}
