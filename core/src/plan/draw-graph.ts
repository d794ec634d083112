import { decoratorsOf, mayDecorate } from './decorations.js';
import type { Plan, PlannedPlugin } from './plan.js';

const legend = [
  'solid line: needs',
  'dotted line: reports to (logger, telemetry)',
  'dotted line with the word decorates: may decorate',
  'dashed frame: optional',
];

/** The plan as a Mermaid flowchart: an arrow from each plugin to those it needs and to those it may wrap. */
export function toMermaid(plan: Plan): string {
  const ids = new Map(plan.plugins.map((plugin, index) => [plugin.key, `p${index}`]));
  const levels = plan.levels.flatMap((level, index) => [
    `  subgraph level${index}["level ${index + 1}"]`,
    ...level.map(plugin => `    ${ids.get(plugin.key)}["${labelOf(plugin)}"]${plugin.optional ? ':::optional' : ''}`),
    '  end',
  ]);
  const needs = plan.plugins.flatMap(({ key, needs }) =>
    [...needs].map(([need, reason]) => `  ${ids.get(key)} ${arrowFor(reason)} ${ids.get(need)}`),
  );
  // A silent default is not a plugin: only the label of the plugin that wraps it shows it.
  const decorations = plan.plugins.flatMap(({ key, manifest }) =>
    decoratorsOf(manifest.provides ?? [], plan.plugins)
      .filter(decorator => decorator !== key)
      .map(decorator => `  ${ids.get(decorator)} -. decorates .-> ${ids.get(key)}`),
  );
  const comments = legend.map(line => `  %% ${line}`);
  const styles = ['  classDef optional stroke-dasharray: 4 3'];
  return ['flowchart BT', ...comments, ...levels, ...needs, ...decorations, ...styles].join('\n');
}

function labelOf(plugin: PlannedPlugin): string {
  const services = mayDecorate(plugin);
  const decorates = services.length === 0 ? [] : [`decorates ${services.join(', ')}`];
  return [plugin.key, plugin.use, ...decorates].join('<br/>');
}

/** Every plugin logs and is traced: those lines stay in the background. */
function arrowFor(reason: string): string {
  return reason.startsWith('reports to ') ? '-.->' : '-->';
}
