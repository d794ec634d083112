import { SwitchableService } from '../container/switchable-service.js';
import { Clock } from '../contract/clock.js';
import { Lifecycle } from '../contract/lifecycle.js';
import type { ServiceToken } from '../contract/token.js';
import { kernelTokens, providersOf } from '../plan/dependencies.js';
import type { Plan, PlannedPlugin } from '../plan/plan.js';
import { slotsOf } from '../plan/slots.js';
import { startStaggered } from '../time/staggered-start.js';
import type { KernelOptions } from './kernel-options.js';
import type { RunningPlugin } from './running-plugin.js';
import type { Surroundings } from './surroundings.js';

/** For each optional plugin of a slot that has a silent default: the switchable service in its place. */
export function makeSwitchables(plan: Plan, clock: Clock): Map<string, SwitchableService> {
  const switchables = new Map<string, SwitchableService>();
  for (const { key, optional } of plan.plugins) {
    const slot = slotsOf(plan.plugins).find(({ name }) => name === key);
    if (optional && slot?.silentDefault !== undefined)
      switchables.set(key, new SwitchableService(slot.silentDefault.create(clock) as object, slot.token));
  }
  return switchables;
}

/** Binds what every service has: the clock, the lifecycle, the switchable services, and the silent defaults of the empty slots. */
export function bindSilentDefaults(plan: Plan, { container, clock, lifecycle, switchables }: Surroundings): void {
  container.bind(Clock).toConstantValue(clock);
  container.bind(Lifecycle).toConstantValue(lifecycle);
  for (const { name, token, silentDefault } of slotsOf(plan.plugins)) {
    const switchable = switchables.get(name);
    if (switchable !== undefined) container.bind(token).toConstantValue(switchable.service).whenDefault();
    else if (silentDefault !== undefined && !plan.plugins.some(plugin => plugin.key === name)) {
      container.bind(token).toConstantValue(silentDefault.create(clock)).whenDefault();
    }
  }
}

/** The tokens that only the plugin that provides them may bind. */
export function exclusiveTokens(plan: Plan): Set<ServiceToken> {
  const provided = plan.plugins.flatMap(plugin => plugin.manifest.provides ?? []);
  return new Set([...kernelTokens, ...slotsOf(plan.plugins).map(slot => slot.token), ...provided]);
}

/**
 * Imports, registers, starts and lets work in, one step after the other, and stops at the step or level in which
 * something failed that is not optional. True when everything is ready; what happened otherwise is in the plugins.
 * With `only`, nothing but the plugins it picks and what they need is started, and no work is let in.
 */
export async function startPlugins(
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

  for (const plugin of running) plugin.leftOut = only !== undefined;
  if (!(await step(running, plugin => plugin.import(cancel), startStaggered))) return false;
  // One after the other, so that what a plugin binds never depends on who was faster.
  for (const plugin of running) if (!cancel.aborted) await step([plugin], () => plugin.register(cancel));
  const perSession = plan.plugins.flatMap(plugin => plugin.manifest.perSession ?? []);
  if (!(await step(running, plugin => plugin.checkLifetimes(perSession)))) return false;
  const chosen = only === undefined ? undefined : withNeeds(running.filter(only), plan);
  for (const plugin of running) plugin.leftOut = chosen?.has(plugin.key) === false;
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
    if (provider === undefined || hasSilentDefault(provider, plugins)) return true;
    return running.some(plugin => plugin.key === provider.key && plugin.outcome === 'started');
  });
}

function hasSilentDefault(provider: PlannedPlugin, plugins: readonly PlannedPlugin[]): boolean {
  return slotsOf(plugins).some(slot => slot.name === provider.key && slot.silentDefault !== undefined);
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
