import { type ExplainedValue, formatExplained } from '../../config/explain.js';
import { nearest } from '../../config/nearest.js';
import { formatProblem } from '../../config/problem.js';
import { variableFor } from '../../config/variables.js';
import { Kernel } from '../../life/kernel.js';
import { type ExplainedGroup, explainGroups, groupToJson } from '../../plan/explain-plan.js';
import { installedPlugins } from '../../plan/installed-plugins.js';
import type { Plan } from '../../plan/plan.js';
import { defineCommand, exitCodes, printJson, refuse } from '../command.js';
import { configOptions, kernelOptions } from '../config-options.js';
import { formatService, serviceName } from '../output/format-plan.js';
import { pluginFacts } from '../output/plugin-facts.js';

export const explain = defineCommand({
  description: `Prints every value in force with its file and line, variable or default, and the values that it overrides. With a
key it prints the details of that key: meaning, allowed values, and the variable that sets it; for a plugin also its start order,
its times, the services it provides and requires, and its capabilities. Lists the other installed packages that fill a slot, and
the plugins that may wrap (decorate) services of other plugins. Secrets are masked.

With --json the output includes problems and warnings, and values are JSON.`,
  words: { key: { optional: true, description: 'a slot, a plugin or a value: database, database.pool.max' } },
  options: configOptions,
  exitCodes: { 0: 'the plan is valid', 1: 'it is not', 2: 'unknown key, or wrong usage' },
  examples: ['keelson explain', 'keelson explain database', 'keelson explain database.pool.max'],
  async run({ options, words: { key: wanted }, terminal }) {
    const plan = await Kernel.plan(kernelOptions(options, terminal));
    const key = wanted?.replace(/^plugins\./, '');
    const all = explainGroups(plan, await installedPlugins(plan.directory));
    const groups = all
      .map(group => ({ ...group, values: group.values.filter(value => matches(value, group.key, key)) }))
      .filter(group => (key === undefined ? tellsSomething(group) : group.values.length > 0 || group.key === key));
    for (const problem of plan.problems) terminal.err(formatProblem(problem));
    if (groups.length === 0) refuseKey(wanted ?? '', all);
    if (options.json) printJson(terminal, toJson(plan, groups));
    else {
      const header = key === undefined ? [formatService(plan)] : [];
      terminal.out([...header, ...groups.map(group => formatGroup(group, key))].join('\n\n'));
    }
    return plan.problems.length === 0 ? exitCodes.clean : exitCodes.failed;
  },
});

/** Of an empty slot: that an installed plugin would fill it, or that another wraps its default. */
function tellsSomething({ plugin, values, notChosen, decoratedBy }: ExplainedGroup): boolean {
  return plugin !== undefined || [values, notChosen, decoratedBy].some(list => list.length > 0);
}

function matches(value: ExplainedValue, group: string, key: string | undefined): boolean {
  return key === undefined || group === key || value.path === key || value.path.startsWith(`${key}.`);
}

function refuseKey(wanted: string, groups: readonly ExplainedGroup[]): never {
  const known = groups.flatMap(group => [group.key, ...group.values.map(value => value.path)]);
  const meant = nearest(wanted, known);
  const hint = 'Run keelson explain without a key to list all keys.';
  refuse(`There is no plugin or value ${wanted}.${meant === undefined ? '' : ` Did you mean ${meant}?`}`, hint);
}

function formatGroup(group: ExplainedGroup, key: string | undefined): string {
  const [only, ...within] = group.values;
  if (only !== undefined && only.path === key) return [formatOne(only, group), ...formatValues(within)].join('\n');
  const lines = formatValues(group.values);
  const around = group.decoratedBy.length === 0 ? [] : [`  may be decorated by ${group.decoratedBy.join(', ')}`];
  const inside = group.decorates.length === 0 ? [] : [`  may decorate ${group.decorates.join(', ')}`];
  const others = group.notChosen.map(({ name, version = '' }) =>
    `  installed and not chosen: ${name} ${version}`.trimEnd(),
  );
  const wanted = key === undefined || key === group.key;
  const facts =
    key !== undefined && group.plugin !== undefined ? pluginFacts(group.plugin).map(fact => `  ${fact}`) : [];
  return [headline(group), ...lines, ...(wanted ? [...facts, ...inside, ...around, ...others] : [])].join('\n');
}

function formatValues(values: readonly ExplainedValue[]): string[] {
  const width = Math.max(0, ...values.map(value => value.path.length));
  return values.map(value => `  ${value.path.padEnd(width)}  ${formatExplained(value)}`);
}

function headline({ key, filledBy }: ExplainedGroup): string {
  return filledBy === undefined ? key : `${key}: ${filledBy}`;
}

function formatOne(value: ExplainedValue, { key, plugin }: ExplainedGroup): string {
  const path = value.path.slice(plugin === undefined ? 0 : key.length + 1).split('.');
  const variable = plugin === undefined ? variableFor(path[0] ?? '', path.slice(1)) : variableFor(key, path);
  return [
    `${value.path} = ${formatExplained(value)}`,
    ...(value.description === undefined ? [] : [`  ${value.description}`]),
    ...(value.allowed === undefined ? [] : [`  Allowed: ${value.allowed}.`]),
    `  Variable: ${variable}`,
    `  ${value.reloadable ? 'May change while the service runs.' : 'A change needs a restart.'}`,
  ].join('\n');
}

function toJson(plan: Plan, groups: readonly ExplainedGroup[]) {
  const { environment, problems, warnings } = plan;
  return {
    service: serviceName(plan),
    environment,
    valid: problems.length === 0,
    problems,
    warnings,
    groups: groups.map(groupToJson),
  };
}
