import { markSecrets } from '../config/mark-secrets.js';
import { plain } from '../config/node.js';
import type { Origin } from '../config/place.js';
import type { Plan, PlannedPlugin } from '../plan/plan.js';
import { type ChangedValue, changedValues, keysOf, replaceAt } from './changed-values.js';
import { PlanError } from './errors.js';
import type { RunningPlugin } from './running-plugin.js';

/** One value that is different in the configuration now. Secrets are masked. */
export interface ReloadChange {
  /** `database.pool.max`; the key of a plugin when it was added, removed or replaced. */
  readonly path: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** `to` is the default, because nothing sets it any more. */
  readonly toDefault?: true;
  readonly origin: Origin;
  /** `failed`: the plugin refused the new values and keeps the old ones. */
  readonly outcome: 'applied' | 'needs-restart' | 'failed';
  readonly error?: unknown;
}

export interface ReloadReport {
  readonly changes: readonly ReloadChange[];
}

/** The part of a reload that is shown, also by listeners that did not request it. */
interface ShownChanges {
  readonly changes: readonly Pick<ReloadChange, 'path' | 'from' | 'to' | 'toDefault' | 'outcome'>[];
}

/** One line for each change. */
export function formatReload({ changes }: ShownChanges): string {
  if (changes.length === 0) return 'Read the configuration again: nothing has changed.';
  const outcomes = { applied: 'applied', 'needs-restart': 'needs a restart', failed: 'refused by the plugin' };
  const lines = changes.map(({ path, from, to, toDefault, outcome }) => {
    const shown = to === undefined ? 'not set' : `${to}${toDefault === true ? ' (default)' : ''}`;
    return `  ${path}: ${from ?? 'not set'} -> ${shown}  ${outcomes[outcome]}`;
  });
  return ['Read the configuration again:', ...lines].join('\n');
}

/** Applies what may change from `before` to `after`; `plan` is the one in force then. */
export async function reload(
  before: Plan,
  after: Plan,
  running: readonly RunningPlugin[],
): Promise<{ plan: Plan; report: ReloadReport }> {
  if (after.problems.length > 0) throw new PlanError(after, 'Nothing has changed.');
  const changes: ReloadChange[] = [];
  const plugins: PlannedPlugin[] = [];
  for (const old of before.plugins) {
    const next = after.plugins.find(plugin => plugin.key === old.key && plugin.use === old.use);
    const runs = running.find(plugin => plugin.key === old.key);
    const result = next && runs ? await reloadPlugin(old, next, runs) : replaced(old, after);
    changes.push(...result.changes);
    plugins.push(result.planned);
  }
  for (const plugin of after.plugins) {
    if (before.plugins.some(old => old.key === plugin.key)) continue;
    const { key, use, origin } = plugin;
    changes.push({ path: key, from: undefined, to: use, origin, outcome: 'needs-restart' });
  }
  return { plan: { ...before, plugins }, report: { changes } };
}

interface Reloaded {
  readonly changes: readonly ReloadChange[];
  readonly planned: PlannedPlugin;
}

function replaced(planned: PlannedPlugin, after: Plan): Reloaded {
  const next = after.plugins.find(plugin => plugin.key === planned.key);
  const { key, use, origin } = next ?? planned;
  return { planned, changes: [{ path: key, from: planned.use, to: next && use, origin, outcome: 'needs-restart' }] };
}

async function reloadPlugin(old: PlannedPlugin, next: PlannedPlugin, running: RunningPlugin): Promise<Reloaded> {
  const changed = changedValues(old, next);
  const toChange = (outcome: (value: ChangedValue) => Pick<ReloadChange, 'outcome' | 'error'>) =>
    changed.map(value => {
      const { path, from, to, toDefault, origin } = value;
      return { path, from, to, ...(toDefault && { toDefault: true as const }), origin, ...outcome(value) };
    });
  const reloadable = changed.filter(value => value.reloadable);
  if (reloadable.length === 0 || running.keepsItsValues) {
    return { planned: old, changes: toChange(() => ({ outcome: 'needs-restart' })) };
  }

  const paths = reloadable.map(({ path }) => keysOf(next, path));
  const node = paths.reduce((tree, path) => replaceAt(tree, path, next.values.node), old.values.node);
  const applied = (error?: unknown) =>
    toChange(({ reloadable }) => {
      if (!reloadable) return { outcome: 'needs-restart' };
      return error === undefined ? { outcome: 'applied' } : { outcome: 'failed', error };
    });
  try {
    const config = old.manifest.config === undefined ? {} : await old.manifest.config.parseAsync(plain(node));
    markSecrets(config, node);
    await running.reconfigure(config, node);
    return { planned: { ...old, config, values: { ...old.values, node } }, changes: applied() };
  } catch (error) {
    return { planned: old, changes: applied(error) };
  }
}
