import type { ConfigEntry } from '../config/load-config.js';
import { nearest } from '../config/nearest.js';
import { formatOrigin } from '../config/place.js';
import type { Problem } from '../config/problem.js';
import { type Requirement, requirementParts } from '../contract/requirement.js';
import { dependencies, kernelTokens, providersOf, requirementName } from './dependencies.js';
import { cyclesOf } from './graph.js';
import type { InstalledPlugin } from './installed-plugins.js';
import { choiceOf, type PlannedPlugin } from './plan.js';
import { slotNames, slotsOf, splitKey, tokenName } from './slots.js';

/**
 * What keeps the plugins from fitting their keys, the contract and each other. `installed` are those that could be chosen
 * where something is missing.
 */
export function checkPlan(
  plugins: readonly PlannedPlugin[],
  entries: readonly ConfigEntry[],
  installed: readonly InstalledPlugin[],
): Problem[] {
  const planned = new Set(plugins.map(plugin => plugin.key));
  const unplanned = entries.filter(entry => entry.use !== 'none' && !planned.has(entry.key));
  // What could not be planned has been reported; that its own slot is not filled would only be noise.
  const blind = unplanned.map(entry => splitKey(entry.key).head);
  const unread = unplanned.map(entry => entry.use ?? entry.key);
  const ofEach = plugins.flatMap(plugin => [
    ...checkSlot(plugin, plugins),
    ...unmetRequirements(plugin, plugins)
      .filter(({ slot }) => slot === undefined || !blind.includes(slot))
      .map(unmet => missingRequirement(plugin, unmet, unread, installed)),
    ...checkOptionalProviders(plugin, plugins),
    ...checkCapabilities(plugin, plugins, blind),
  ]);
  // The slot of a plugin under the wrong key is not known.
  const placed = plugins.filter(plugin => checkSlot(plugin, plugins).length === 0);
  return [...ofEach, ...checkProviders(placed), ...checkCycles(plugins)];
}

function checkSlot(plugin: PlannedPlugin, plugins: readonly PlannedPlugin[]): Problem[] {
  const { head } = splitKey(plugin.key);
  const { slot } = plugin.manifest;
  const known = slotsOf(plugins).find(each => each.name === head);
  if (slot !== head && (slot !== undefined || known !== undefined)) return [wrongSlot(plugin, head, slot)];
  if (known === undefined || plugin.manifest.provides?.includes(known.token)) return [];
  return [
    {
      code: 'PLAN_TOKEN_NOT_PROVIDED',
      message: `${plugin.use} fills the slot ${head}, but does not provide ${tokenName(known.token)}.`,
      ...choiceOf(plugin),
      action: `Add ${tokenName(known.token)} to \`provides\` of the plugin, and bind it in \`register\`.`,
    },
  ];
}

function wrongSlot(plugin: PlannedPlugin, head: string, slot: string | undefined): Problem {
  return {
    code: 'PLAN_SLOT_MISMATCH',
    message: `${plugin.use} ${slot === undefined ? 'fills no slot' : `fills the slot ${slot}`}, but is configured as ${head}.`,
    ...choiceOf(plugin),
    allowed:
      slot === undefined ? `any key but ${slotNames.join(', ')}` : `${slot}, or ${slot}/<name> for a further one`,
    action: `Move it to another key, or choose a plugin for ${head}.`,
  };
}

interface Unmet {
  readonly required: Requirement;
  /** The slot that would provide it, when there is one. */
  readonly slot: string | undefined;
}

/** What a plugin requires and neither another, nor a silent default, nor the kernel provides. */
export function unmetRequirements(plugin: PlannedPlugin, plugins: readonly PlannedPlugin[]): Unmet[] {
  return (plugin.manifest.requires ?? []).flatMap(required => {
    const { token } = requirementParts(required);
    const there =
      providersOf(required, plugins).length > 0 || hasSilentDefault(required, plugins) || kernelTokens.includes(token);
    return there ? [] : [{ required, slot: slotsOf(plugins).find(each => each.token === token)?.name }];
  });
}

function hasSilentDefault(required: Requirement, plugins: readonly PlannedPlugin[]): boolean {
  const { token, name } = requirementParts(required);
  return name === undefined && slotsOf(plugins).find(each => each.token === token)?.silentDefault !== undefined;
}

function missingRequirement(
  plugin: PlannedPlugin,
  { required, slot }: Unmet,
  unread: readonly string[],
  installed: readonly InstalledPlugin[],
): Problem {
  const { token, name } = requirementParts(required);
  const wanted = requirementName(required);
  // A plugin that could not be read might provide it; of a slot it is known who does.
  const unless = slot !== undefined || unread.length === 0 ? '' : `, unless ${unread.join(' or ')} does`;
  const able = installed.filter(({ provides }) => provides.includes(tokenName(token))).map(other => other.name);
  const use = able[0] ?? '<package>';
  const key = name === undefined ? slot : `${slot}/${name}`;
  const fill = `Fill the slot: ${key}: { use: "${use}" } under plugins.`;
  const configure = `Configure ${able[0] ?? 'a plugin that provides it'} under plugins.`;
  return {
    code: 'PLAN_REQUIREMENT_MISSING',
    message: `${plugin.key} requires ${wanted}, which no configured plugin provides${unless}.`,
    ...choiceOf(plugin),
    ...(able.length > 0 && { allowed: `${able.join(' or ')}, which ${able.length === 1 ? 'is' : 'are'} installed` }),
    action: slot === undefined ? configure : fill,
  };
}

function checkOptionalProviders(plugin: PlannedPlugin, plugins: readonly PlannedPlugin[]): Problem[] {
  if (plugin.optional) return [];
  return (plugin.manifest.requires ?? []).flatMap(required => {
    const [provider] = providersOf(required, plugins);
    const stands = provider?.optional !== true || hasSilentDefault(required, plugins);
    return stands ? [] : [requiredButOptional(plugin, provider, required)];
  });
}

function requiredButOptional(plugin: PlannedPlugin, provider: PlannedPlugin, required: Requirement): Problem {
  return {
    code: 'PLAN_REQUIREMENT_OPTIONAL',
    message: `${plugin.key} requires ${requirementName(required)}, but ${provider.key} is optional and has no silent default.`,
    path: `plugins.${provider.key}.optional`,
    origin: provider.origin,
    action: `Remove optional from ${provider.key}, or make ${plugin.key} optional as well.`,
  };
}

function checkCapabilities(
  plugin: PlannedPlugin,
  plugins: readonly PlannedPlugin[],
  blind: readonly string[],
): Problem[] {
  return Object.entries(plugin.manifest.needsCapabilities ?? {}).flatMap(([slot, needed]) => {
    if (blind.includes(slot)) return [];
    const provider = plugins.find(other => other.key === slot);
    const able = provider?.manifest.capabilities ?? [];
    const missing = needed.filter(capability => !able.includes(capability));
    if (missing.length === 0) return [];
    const meant = missing.map(capability => nearest(capability, able)).find(name => name !== undefined);
    return [
      {
        code: 'PLAN_CAPABILITY_MISSING',
        message: `${plugin.key} needs ${missing.join(' and ')} of ${slot}, which ${provider?.use ?? 'an empty slot'} does not have.`,
        ...choiceOf(provider ?? plugin),
        ...(able.length > 0 && { allowed: able.join(', ') }),
        ...(meant !== undefined && { nearest: meant }),
        action: `Choose another plugin for ${slot}, or run without ${plugin.key}.`,
      },
    ];
  });
}

function checkProviders(plugins: readonly PlannedPlugin[]): Problem[] {
  const tokens = new Set(plugins.flatMap(plugin => plugin.manifest.provides ?? []));
  return [...tokens].flatMap(token => {
    const [first, ...others] = providersOf(token, plugins);
    return others.map(other => ({
      code: 'PLAN_PROVIDER_DUPLICATE',
      message: `${first?.key} and ${other.key} both provide ${tokenName(token)}.`,
      ...choiceOf(other),
      action: `Remove one of them (${first?.key} is at ${first === undefined ? '' : formatOrigin(first.origin)}), or make it a named instance: <slot>/<name>.`,
    }));
  });
}

function checkCycles(plugins: readonly PlannedPlugin[]): Problem[] {
  const needs = dependencies(plugins);
  const graph = new Map([...needs].map(([key, reasons]) => [key, [...reasons.keys()]]));
  return cyclesOf(graph).map(cycle => {
    const first = plugins.find(plugin => plugin.key === cycle[0]);
    const steps = cycle
      .slice(1)
      .map((key, index) => `${cycle[index]} ${needs.get(cycle[index] ?? '')?.get(key)} (${key})`);
    return {
      code: 'PLAN_CYCLE',
      message: `Plugins need each other: ${cycle.join(' -> ')}; ${steps.join('; ')}.`,
      ...(first && choiceOf(first)),
      allowed: 'requirements without a cycle, so that each plugin can start after the plugins that it needs',
      action: 'Remove one of these requirements, or move the shared part into a separate plugin.',
    };
  });
}
