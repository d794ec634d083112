import { isDeepStrictEqual } from 'node:util';
import { type ExplainedValue, explainValues } from '../config/explain.js';
import { keepSecretFields } from '../config/keep-secret-fields.js';
import { type ConfigNode, closest, type MapEntry, type MapNode, mapNode } from '../config/node.js';
import type { Origin } from '../config/place.js';
import { plain } from '../config/read-values.js';
import { PlanError } from './errors.js';
import type { Plan, PlannedPlugin } from './plan.js';
import type { RunningPlugin } from './running-plugin.js';

/** One value that is different in the configuration now. Secrets are masked. */
export interface ReloadChange {
  /** `database.pool.max`; the key of a plugin when it was added, removed or replaced. */
  readonly path: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly origin: Origin;
  /** `failed`: the plugin refused the new values and keeps the old ones. */
  readonly outcome: 'applied' | 'needs-restart' | 'failed';
  readonly error?: unknown;
}

export interface ReloadReport {
  readonly changes: readonly ReloadChange[];
}

/** What is shown of a reload, also by those who were only told of it. */
interface ShownChanges {
  readonly changes: readonly Pick<ReloadChange, 'path' | 'from' | 'to' | 'outcome'>[];
}

/** One line for each change. */
export function formatReload({ changes }: ShownChanges): string {
  if (changes.length === 0) return 'Read the configuration again: nothing has changed.';
  const outcomes = { applied: 'applied', 'needs-restart': 'needs a restart', failed: 'refused by the plugin' };
  const lines = changes.map(
    ({ path, from, to, outcome }) => `  ${path}: ${from ?? 'not set'} -> ${to ?? 'not set'} ${outcomes[outcome]}`,
  );
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
  const reloadable = changed.filter(({ to }) => to.reloadable);
  const toChange = (outcome: (value: ExplainedValue) => Pick<ReloadChange, 'outcome' | 'error'>) =>
    changed.map(({ from, to }) => ({
      path: to.path,
      from: from?.value,
      to: to.value,
      origin: to.origin,
      ...outcome(to),
    }));
  if (reloadable.length === 0) return { planned: old, changes: toChange(() => ({ outcome: 'needs-restart' })) };

  const paths = reloadable.map(({ to }) => to.path.slice(next.key.length + 1).split('.'));
  const node = paths.reduce((tree, path) => replaceAt(tree, path, next.values.node), old.values.node);
  const applied = (error?: unknown) =>
    toChange(({ reloadable }) => {
      if (!reloadable) return { outcome: 'needs-restart' };
      return error === undefined ? { outcome: 'applied' } : { outcome: 'failed', error };
    });
  try {
    const config = old.manifest.config === undefined ? {} : await old.manifest.config.parseAsync(plain(node));
    keepSecretFields(config, node);
    await running.reconfigure(config);
    return { planned: { ...old, config, values: { ...old.values, node } }, changes: applied() };
  } catch (error) {
    return { planned: old, changes: applied(error) };
  }
}

function changedValues(old: PlannedPlugin, next: PlannedPlugin) {
  const before = explainValues(old.values.node, old.values.shape, old.key);
  const after = explainValues(next.values.node, next.values.shape, next.key);
  // Compared unmasked: two secrets look alike.
  const raw = (plugin: PlannedPlugin, path: string) => valueAt(plugin, path.slice(plugin.key.length + 1).split('.'));
  return after
    .filter(({ path }) => !isDeepStrictEqual(raw(old, path), raw(next, path)))
    .map(to => ({ from: before.find(each => each.path === to.path), to }));
}

function valueAt({ values }: PlannedPlugin, path: readonly string[]): unknown {
  const parent = closest(values.node, path.slice(0, -1));
  const node = closest(values.node, path);
  return node === parent ? undefined : plain(node);
}

/** `tree` with what stands at `path` in `source`, or without it when nothing stands there. */
function replaceAt(tree: MapNode, path: readonly string[], source: ConfigNode): MapNode {
  const [key = '', ...rest] = path;
  const from: MapEntry | undefined = source.kind === 'map' ? source.entries.get(key) : undefined;
  const entries = new Map(tree.entries);
  const own = entries.get(key)?.node;
  if (from === undefined) entries.delete(key);
  else if (rest.length === 0) entries.set(key, from);
  else
    entries.set(key, {
      key: from.key,
      node: replaceAt(own?.kind === 'map' ? own : mapNode(from.key), rest, from.node),
    });
  return { ...tree, entries };
}
