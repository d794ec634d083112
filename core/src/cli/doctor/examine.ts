import { formatOrigin } from '../../config/place.js';
import type { Problem } from '../../config/problem.js';
import { causesOf } from '../../contract/causes.js';
import { isKeelsonError } from '../../contract/keelson-error.js';
import { PlanError } from '../../life/errors.js';
import { Kernel } from '../../life/kernel.js';
import type { KernelOptions } from '../../life/kernel-options.js';
import { errorCode, firstLine, type PluginStartReport, totalMs } from '../../life/report.js';
import type { Plan, PlannedPlugin } from '../../plan/plan.js';
import type { Finding, LiveFindings } from './live-findings.js';

export interface Examination {
  readonly options: KernelOptions;
  /** Of the running instances of this service. */
  readonly live: LiveFindings;
  /** The longest that a plugin with `connect.timeoutMs` may wait for a connection. */
  readonly connectTimeoutMs: number;
  readonly report: (...findings: readonly Finding[]) => void;
  /** Called with the error that kept a plugin or all of them from being examined. */
  readonly onError: (error: unknown) => void;
}

/** A person waits for the answer, and should see the reason for the wait. */
const slowMs = 1_000;

/** Starts what can examine its surroundings, reports what each finds, and stops it again. What does not start hides nothing. */
export async function examine({ options, live, connectTimeoutMs, report, onError }: Examination): Promise<void> {
  try {
    await using kernel = await Kernel.start({
      ...options,
      only: ({ planned: { manifest } }) => manifest.diagnoses === true || manifest.slot === 'database',
      revise: plan => patient(plan, connectTimeoutMs),
    });
    const { plugins } = kernel.report;
    const held = new Set(plugins.filter(plugin => holderOf(plugin, live) !== undefined).map(({ key }) => key));
    for (const plugin of plugins) {
      if (plugin.error !== undefined) onError(plugin.error);
      report(...aboutStart(plugin, live, held));
    }
    for (const [plugin, diagnoses] of await kernel.diagnose()) {
      report(...diagnoses.map(diagnosis => ({ plugin, ...diagnosis })));
    }
  } catch (error) {
    onError(error);
    report(...(error instanceof PlanError ? error.problems.map(aboutProblem) : [failure('kernel', error)]));
  }
}

/** The plan in which no plugin keeps others from being started, and none waits long for a connection. */
function patient(plan: Plan, connectTimeoutMs: number): Plan {
  const { startup } = plan.settings;
  return {
    ...plan,
    settings: { ...plan.settings, startup: { ...startup, slowMs: Math.min(startup.slowMs, slowMs) } },
    plugins: plan.plugins.map(plugin => ({
      ...plugin,
      optional: true,
      config: withConnectTimeout(plugin.config, connectTimeoutMs),
    })),
  };
}

function withConnectTimeout(config: PlannedPlugin['config'], timeoutMs: number): unknown {
  const { connect } = (config ?? {}) as { connect?: { timeoutMs?: unknown } };
  const configured = connect?.timeoutMs;
  if (typeof configured !== 'number' || configured <= timeoutMs) return config;
  return { ...(config as object), connect: { ...connect, timeoutMs } };
}

function aboutStart(plugin: PluginStartReport, live: LiveFindings, held: ReadonlySet<string>): Finding[] {
  const { key, use, outcome, error, missed = [] } = plugin;
  const start = { plugin: key, name: 'start' } as const;
  if (outcome === 'started') {
    return [{ ...start, status: 'pass', output: `${use} started in ${Math.round(totalMs(plugin))} ms.` }];
  }
  const holder = holderOf(plugin, live);
  if (holder !== undefined) {
    const output = `Not examined: the running instance of this service with pid ${holder} uses it. Its findings are above.`;
    return [{ ...start, status: 'pass', output }];
  }
  if (error !== undefined) return [failure(key, error)];
  const output = `Not examined: it needs ${missed.join(', ') || 'another'}, which did not start.`;
  if (missed.length > 0 && missed.every(other => held.has(other))) return [{ ...start, status: 'pass', output }];
  return [{ ...start, status: 'warn', output, hint: `Fix ${missed.join(', ') || 'the other plugins'} first.` }];
}

/** The pid of the running instance that has what the plugin wanted. */
function holderOf({ key, error }: PluginStartReport, { findings, pids }: LiveFindings): number | undefined {
  const holders = [error, ...causesOf(error)].flatMap(each => (isKeelsonError(each) ? (each.facts.pid ?? []) : []));
  const holder = pids.find(pid => holders.includes(pid));
  if (holder !== undefined || holders.length === 0) return holder;
  // A process that serves the instance may hold it, such as the database that `keelson dev` keeps.
  const ofPlugin = findings.filter(({ plugin, pid }) => plugin === key && pid !== undefined);
  return ofPlugin.some(({ status }) => status === 'fail') ? undefined : ofPlugin[0]?.pid;
}

function failure(plugin: string, error: unknown): Finding {
  const hint =
    isKeelsonError(error) && error.hint !== undefined
      ? error.hint
      : 'Fix the error above, and run keelson doctor again.';
  return { plugin, name: 'start', status: 'fail', output: `${errorCode(error)}: ${firstLine(error)}`, hint };
}

function aboutProblem({ code, message, path, origin, allowed, nearest, action }: Problem): Finding {
  const where = origin === undefined ? '' : `${formatOrigin(origin)}  `;
  const plugin = path === undefined ? undefined : /^plugins\.([^.]+)/.exec(path)?.[1];
  const hints = [allowed && `Allowed: ${allowed}.`, nearest && `Did you mean ${nearest}?`, action].filter(Boolean);
  return {
    plugin: plugin ?? 'kernel',
    name: 'configuration',
    status: 'fail',
    output: `${where}${code}: ${message}`,
    hint: hints.join(' ') || 'Fix the configuration, and run keelson check, which starts nothing.',
  };
}
