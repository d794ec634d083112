import { Clock } from '../contract/clock.js';
import { Lifecycle } from '../contract/lifecycle.js';
import { namedService, type Requirement, requirementParts } from '../contract/requirement.js';
import { Logger } from '../contract/slots/logger.js';
import { Telemetry } from '../contract/slots/telemetry.js';
import { type ServiceToken, serviceToken } from '../contract/token.js';
import { pathBetween } from './graph.js';
import type { PlannedPlugin } from './plan.js';
import { tokenName } from './slots.js';

/** What the kernel itself binds. */
export const kernelTokens: readonly ServiceToken[] = [Clock, Lifecycle, serviceToken('@keelson/core/ServiceControl')];

/** For each plugin the keys of those that start before it, and why. */
export function dependencies(plugins: readonly PlannedPlugin[]): Map<string, Map<string, string>> {
  const needs = new Map(plugins.map(plugin => [plugin.key, explicitNeeds(plugin, plugins)]));
  // Everyone logs and is traced, so these two come first; unless they themselves need the one that is asking.
  for (const token of [Logger, Telemetry]) addImplicit(token, plugins, needs);
  return needs;
}

/** The plugins that bind what is required; for a plain token further instances of its slot are not meant. */
export function providersOf(requirement: Requirement, plugins: readonly PlannedPlugin[]): PlannedPlugin[] {
  const { token, name } = requirementParts(requirement);
  return plugins.filter(plugin => plugin.instance === name && plugin.manifest.provides?.includes(token));
}

/** `database/reporting` may use the `reporting` of another slot as well. */
function ownProvidersOf(
  used: Requirement,
  { instance }: PlannedPlugin,
  plugins: readonly PlannedPlugin[],
): PlannedPlugin[] {
  const { token, name } = requirementParts(used);
  return instance === undefined || name !== undefined ? [] : providersOf(namedService(token, instance), plugins);
}

/** `@keelson/database/DatabaseService (reporting)`. */
export function requirementName(requirement: Requirement): string {
  const { token, name } = requirementParts(requirement);
  return name === undefined ? tokenName(token) : `${tokenName(token)} (${name})`;
}

function explicitNeeds(plugin: PlannedPlugin, plugins: readonly PlannedPlugin[]): Map<string, string> {
  const reasons = new Map<string, string>();
  for (const used of plugin.manifest.optional ?? []) {
    for (const { key } of [...providersOf(used, plugins), ...ownProvidersOf(used, plugin, plugins)]) {
      if (key !== plugin.key) reasons.set(key, `uses ${requirementName(used)}`);
    }
  }
  // One that requires what it provides itself needs itself: a cycle.
  for (const required of plugin.manifest.requires ?? []) {
    for (const { key } of providersOf(required, plugins)) reasons.set(key, `requires ${requirementName(required)}`);
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
  const provider = providersOf(token, plugins)[0];
  if (provider === undefined) return;
  const graph = new Map([...needs].map(([key, reasons]) => [key, [...reasons.keys()]]));
  for (const [key, reasons] of needs) {
    if (key === provider.key || reasons.has(provider.key)) continue;
    if (pathBetween(graph, provider.key, key) === undefined)
      reasons.set(provider.key, `reports to ${tokenName(token)}`);
  }
}
