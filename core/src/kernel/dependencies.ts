import { Clock } from '../clock.js';
import { Logger } from '../slots/logger.js';
import { Telemetry } from '../slots/telemetry.js';
import type { ServiceToken } from '../token.js';
import { pathBetween } from './graph.js';
import { Lifecycle } from './lifecycle.js';
import type { PlannedPlugin } from './plan.js';
import { tokenName } from './slots.js';

/** What the kernel itself binds. */
export const kernelTokens: readonly ServiceToken[] = [Clock, Lifecycle];

/** For each plugin the keys of those that start before it, and why. */
export function dependencies(plugins: readonly PlannedPlugin[]): Map<string, Map<string, string>> {
  const needs = new Map(plugins.map(plugin => [plugin.key, explicitNeeds(plugin, plugins)]));
  // Everyone logs and is traced, so these two come first; unless they themselves need the one that is asking.
  for (const token of [Logger, Telemetry]) addImplicit(token, plugins, needs);
  return needs;
}

/** The plugins that bind `token`, further instances of a slot included. */
export function providersOf(token: ServiceToken, plugins: readonly PlannedPlugin[]): PlannedPlugin[] {
  return plugins.filter(plugin => plugin.manifest.provides?.includes(token));
}

function explicitNeeds(plugin: PlannedPlugin, plugins: readonly PlannedPlugin[]): Map<string, string> {
  const reasons = new Map<string, string>();
  for (const token of plugin.manifest.optional ?? []) {
    for (const { key } of providersOf(token, plugins))
      if (key !== plugin.key) reasons.set(key, `uses ${tokenName(token)}`);
  }
  // One that requires what it provides itself needs itself: a cycle.
  for (const token of plugin.manifest.requires ?? []) {
    for (const { key } of providersOf(token, plugins)) reasons.set(key, `requires ${tokenName(token)}`);
  }
  for (const slot of Object.keys(plugin.manifest.needsCapabilities ?? {})) {
    if (slot !== plugin.key && plugins.some(other => other.key === slot)) reasons.set(slot, 'needs its capabilities');
  }
  return reasons;
}

function addImplicit(
  token: ServiceToken,
  plugins: readonly PlannedPlugin[],
  needs: Map<string, Map<string, string>>,
): void {
  const provider = providersOf(token, plugins).find(plugin => plugin.instance === undefined);
  if (provider === undefined) return;
  const graph = new Map([...needs].map(([key, reasons]) => [key, [...reasons.keys()]]));
  for (const [key, reasons] of needs) {
    if (key === provider.key || reasons.has(provider.key)) continue;
    if (pathBetween(graph, provider.key, key) === undefined)
      reasons.set(provider.key, `is watched through ${tokenName(token)}`);
  }
}
