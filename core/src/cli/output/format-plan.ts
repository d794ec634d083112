import { child } from '../../config/node.js';
import { displayPath, formatOrigin } from '../../config/place.js';
import { settingsSchema } from '../../config/settings.js';
import { decoratorsOf, mayDecorate } from '../../plan/decorations.js';
import type { Plan, PlannedPlugin } from '../../plan/plan.js';
import { manifestFacts } from './plugin-facts.js';

/** `orders (production)`, or which environments there are when none is chosen. */
export function formatService({ service, environment, config }: Plan): string {
  if (environment !== undefined) return `${service} (${environment})`;
  const { environments } = config;
  if (environments.length === 0) return service;
  return `${service} (no environment chosen; available: ${environments.join(', ')})`;
}

/** The plan for a person: the files, the slots, then the start level by level. */
export function formatPlan(plan: Plan): string {
  const lines = [`${formatService(plan)}: the plan is valid`];
  if (plan.files.length > 0) lines.push(`read from ${plan.files.map(displayPath).join(', ')}`);
  lines.push('');
  lines.push('Slots');
  for (const { slot, filledBy, reason, decoratedBy } of plan.slots) {
    const plugin = plan.plugins.find(each => each.key === filledBy);
    const filling = plugin === undefined ? (filledBy ?? 'empty') : describeUse(plugin);
    lines.push(`  ${slot.padEnd(11)} ${filling}  (${reason})`);
    if (plugin?.replaced !== undefined) {
      lines.push(`  ${''.padEnd(11)} instead of ${plugin.replaced.use}  (${formatOrigin(plugin.replaced.origin)})`);
    }
    if (decoratedBy.length > 0) lines.push(`  ${''.padEnd(11)} may be decorated by ${decoratedBy.join(', ')}`);
  }
  lines.push('', 'Start');
  plan.levels.forEach((level, index) => {
    for (const plugin of level) lines.push(`  ${index + 1}. ${describePlugin(plugin)}`);
  });
  return lines.join('\n');
}

function describeUse(plugin: PlannedPlugin): string {
  return plugin.version === undefined ? plugin.use : `${plugin.use} ${plugin.version}`;
}

function describePlugin(plugin: PlannedPlugin): string {
  const needs = [...plugin.needs.keys()];
  const after = needs.length === 0 ? '' : `  after ${needs.join(', ')}`;
  const decorated = mayDecorate(plugin);
  const around = decorated.length === 0 ? '' : `  may decorate ${decorated.join(', ')}`;
  // What fills a slot stands above.
  const use = plugin.manifest.slot === plugin.key ? '' : `  ${describeUse(plugin)}`;
  return `${plugin.key}${plugin.optional ? ' (optional)' : ''}${use}${after}${around}`;
}

/** Returns undefined when an invalid configuration does not set the name; the default name would mislead. */
export function serviceName({ service, problems, config }: Plan): string | undefined {
  if (problems.length === 0 || service !== settingsSchema.parse({}).service) return service;
  const written = child(config.settingsNode, 'service');
  return written?.kind === 'scalar' ? String(written.value) : undefined;
}

export function planToJson(plan: Plan): unknown {
  return {
    service: serviceName(plan),
    environment: plan.environment,
    files: plan.files,
    valid: plan.problems.length === 0,
    slots: plan.slots,
    plugins: plan.plugins.map(plugin => ({
      key: plugin.key,
      use: plugin.use,
      source: plugin.source,
      version: plugin.version,
      chosenIn: formatOrigin(plugin.origin),
      replaced: plugin.replaced && { use: plugin.replaced.use, chosenIn: formatOrigin(plugin.replaced.origin) },
      level: plugin.level,
      needs: Object.fromEntries(plugin.needs),
      ...manifestFacts(plugin),
      decorates: mayDecorate(plugin),
      decoratedBy: decoratorsOf(plugin.manifest.provides ?? [], plan.plugins),
      optional: plugin.optional,
      startTimeoutMs: plugin.startTimeoutMs,
      stopTimeoutMs: plugin.stopTimeoutMs,
    })),
    problems: plan.problems,
    warnings: plan.warnings,
  };
}
