import { requirementName } from '../../plan/dependencies.js';
import type { PlannedPlugin } from '../../plan/plan.js';
import { tokenName } from '../../plan/slots.js';

/** Lists the facts of a planned plugin without its values: start order, times, provided and required tokens. */
export function pluginFacts({ manifest, level, needs, startTimeoutMs, stopTimeoutMs }: PlannedPlugin): string[] {
  const after = [...needs].map(([key, reason]) => `${key} (${reason})`).join(', ');
  const needed = Object.entries(manifest.needsCapabilities ?? {});
  return [
    `starts in level ${level + 1}${after === '' ? '' : `, after ${after}`}`,
    `may take ${startTimeoutMs} ms to start, ${stopTimeoutMs} ms to stop`,
    ...line('provides', (manifest.provides ?? []).map(tokenName)),
    ...line('can do:', manifest.capabilities ?? []),
    ...needed.flatMap(([slot, capabilities]) => line(`needs from ${slot}:`, capabilities)),
    ...line('one for each session:', (manifest.perSession ?? []).map(tokenName)),
  ];
}

function line(what: string, names: readonly string[]): string[] {
  return names.length === 0 ? [] : [`${what} ${names.join(', ')}`];
}

/** The part of the same that only the manifest says, for a program. */
export function manifestFacts({ manifest }: PlannedPlugin) {
  return {
    provides: (manifest.provides ?? []).map(tokenName),
    requires: (manifest.requires ?? []).map(requirementName),
    uses: (manifest.optional ?? []).map(requirementName),
    capabilities: manifest.capabilities ?? [],
    needsCapabilities: manifest.needsCapabilities ?? {},
    perSession: (manifest.perSession ?? []).map(tokenName),
  };
}
