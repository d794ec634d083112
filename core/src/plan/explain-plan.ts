import { type ExplainedValue, explainValues } from '../config/explain.js';
import { displayPath, formatOrigin } from '../config/place.js';
import { settingsSchema } from '../config/settings.js';
import { shapeOf } from '../config/shape.js';
import { decoratorsOf, mayDecorate } from './decorations.js';
import type { InstalledPlugin } from './installed-plugins.js';
import type { Plan, PlannedPlugin } from './plan.js';

/** A plugin, a slot that no plugin fills, or the settings of the kernel. */
export interface ExplainedGroup {
  readonly key: string;
  readonly plugin?: PlannedPlugin;
  /** What fills the slot, and why; undefined for the settings of the kernel. */
  readonly filledBy?: string;
  /** Packages that would fill the slot as well. */
  readonly notChosen: readonly InstalledPlugin[];
  /** The keys of the plugins that may wrap what it provides, the innermost first. */
  readonly decoratedBy: readonly string[];
  /** The services of others that it may wrap. */
  readonly decorates: readonly string[];
  readonly values: readonly ExplainedValue[];
}

/** The settings of the kernel, then each plugin in the order of the start, then the slots that no plugin fills. */
export function explainGroups(plan: Plan, installed: readonly InstalledPlugin[]): ExplainedGroup[] {
  const settings = explainValues(plan.config.settingsNode, shapeOf(settingsSchema), '');
  const plugins = plan.plugins.map(plugin => ({
    key: plugin.key,
    plugin,
    filledBy: chosen(plugin),
    notChosen: plugin.instance === undefined ? othersFor(plugin.key, plugin.use, installed) : [],
    decoratedBy: decoratorsOf(plugin.manifest.provides ?? [], plan.plugins),
    decorates: mayDecorate(plugin),
    values: explainValues(plugin.values.node, plugin.values.shape, plugin.key),
  }));
  const empty = plan.slots
    .filter(({ slot }) => !plan.plugins.some(plugin => plugin.key === slot))
    .map(({ slot, filledBy, reason, decoratedBy }) => ({
      key: slot,
      filledBy: `${filledBy ?? 'empty'}  (${reason})`,
      notChosen: othersFor(slot, undefined, installed),
      decoratedBy,
      decorates: [],
      values: [],
    }));
  return [{ key: 'kernel', values: settings, notChosen: [], decoratedBy: [], decorates: [] }, ...plugins, ...empty];
}

function othersFor(slot: string, use: string | undefined, installed: readonly InstalledPlugin[]) {
  return installed.filter(plugin => plugin.slot === slot && plugin.name !== use);
}

function chosen({ use, version, origin, replaced }: PlannedPlugin): string {
  const instead = replaced === undefined ? '' : `, instead of ${replaced.use} from ${formatOrigin(replaced.origin)}`;
  return `${use}${version === undefined ? '' : ` ${version}`}  (${formatOrigin(origin)}${instead})`;
}

/** The plan with every value, as JSON; secrets are masked. */
export type ExplainedPlan = ReturnType<typeof explainPlan>;

export function explainPlan(plan: Plan, installed: readonly InstalledPlugin[]) {
  const { service, environment, files } = plan;
  return {
    service,
    environment,
    files: files.map(displayPath),
    groups: explainGroups(plan, installed).map(groupToJson),
  };
}

export function groupToJson({ key, plugin, filledBy, notChosen, decoratedBy, decorates, values }: ExplainedGroup) {
  return {
    key,
    use: plugin?.use,
    filledBy,
    version: plugin?.version,
    chosenIn: plugin && formatOrigin(plugin.origin),
    notChosen,
    decoratedBy,
    decorates,
    values: values.map(value => ({
      ...value,
      value: jsonOf(value.value),
      origin: formatOrigin(value.origin),
      over: value.over.map(below => ({ value: jsonOf(below.value), origin: formatOrigin(below.origin) })),
    })),
  };
}

/** Parses an explained value; a masked value, or the name of an object in code, stays text. */
function jsonOf(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return text;
  }
}
