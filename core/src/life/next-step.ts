import { KeelsonError } from '../contract/keelson-error.js';
import type { InstrumentedPlugin, Plugin, RegisteredPlugin, StartedPlugin } from '../contract/plugin.js';
import { checkManifest, startedFaults } from '../plan/check-manifest.js';
import type { PlannedPlugin } from '../plan/plan.js';

/** @throws KeelsonError `PLUGIN_INVALID` when a module whose manifest stands apart exports no plugin. */
export function checkImported(plugin: unknown, planned: PlannedPlugin): void {
  const hint = 'Export the result of definePlugin as the default export.';
  if (typeof plugin !== 'object' || plugin === null) refuse(planned, checkManifest(plugin), hint);
}

/**
 * The steps that follow `instrument`: those it returned, or those beside it.
 *
 * @throws KeelsonError `PLUGIN_INVALID` when there are both.
 */
export function afterInstrument(
  plugin: Plugin,
  returned: Returned<Plugin['instrument']>,
  planned: PlannedPlugin,
): InstrumentedPlugin {
  if (!isObject(returned)) return plugin.register === undefined && plugin.start === undefined ? {} : plugin;
  refuse(planned, stepFaults('instrument', ['register', 'start'], plugin, returned));
  return returned;
}

/** The same for the `start` that follows `register`. */
export function afterRegister(
  plugin: InstrumentedPlugin,
  returned: Returned<InstrumentedPlugin['register']>,
  planned: PlannedPlugin,
): RegisteredPlugin {
  if (!isObject(returned)) return plugin.start === undefined ? {} : plugin;
  refuse(planned, stepFaults('register', ['start'], plugin, returned));
  return returned;
}

/** What `start` returned: nothing to ask and nothing to stop when it returned nothing. */
export function afterStart(returned: Returned<RegisteredPlugin['start']>): StartedPlugin {
  return isObject(returned) ? returned : {};
}

/** @throws KeelsonError `PLUGIN_INVALID` for hooks that are none, and for a `diagnose` of which the manifest says nothing. */
export function checkStarted(started: StartedPlugin, planned: PlannedPlugin): void {
  refuse(planned, startedFaults(started, planned.manifest.diagnoses === true));
}

/** What a step returned in the end, which may be nothing. */
type Returned<Step> = Step extends (...given: never) => infer Result ? Awaited<Result> : never;

function isObject<T>(returned: T): returned is Extract<T, object> {
  return typeof returned === 'object' && returned !== null;
}

type Steps = { readonly [Name in 'register' | 'start']?: unknown };

/** The further steps that stand both beside `step` and in what it returned, or are no functions there. */
function stepFaults(step: string, further: readonly (keyof Steps)[], beside: Steps, returned: Steps): string[] {
  const twice = further.filter(name => beside[name] !== undefined);
  const wrong = further.filter(name => returned[name] !== undefined && typeof returned[name] !== 'function');
  return [
    ...twice.map(name => `its ${step} returns an object, so its ${name} must be in that object`),
    ...wrong.map(name => `the ${name} that its ${step} returns is not a function`),
  ];
}

function refuse(
  { key, use }: PlannedPlugin,
  faults: readonly string[],
  hint = 'Fix the return values of its steps.',
): void {
  if (faults.length === 0) return;
  throw new KeelsonError({
    code: 'PLUGIN_INVALID',
    message: `${use} is not a usable plugin: ${faults.join('; ')}.`,
    hint,
    facts: { plugin: key },
  });
}
