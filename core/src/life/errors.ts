import { errorPlace } from '../config/error-place.js';
import { formatProblem, type Problem } from '../config/problem.js';
import { isKeelsonError, KeelsonError } from '../contract/keelson-error.js';
import type { Plan, PlannedPlugin } from '../plan/plan.js';
import { behindOthers, codeAndLine, firstLine, type PluginStartReport, type StartReport } from './report.js';

/** Thrown for an invalid configuration; `facts.problems` lists all its problems. */
export class PlanError extends KeelsonError {
  readonly problems: readonly Problem[];

  /** `outcome` is the consequence, as a sentence. */
  constructor({ problems }: Pick<Plan, 'problems'>, outcome = 'Nothing was started.') {
    const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
    super({
      code: 'KERNEL_PLAN_INVALID',
      message: `The configuration has ${count}:\n${problems.map(formatProblem).join('\n')}`,
      hint: `${outcome} Fix the configuration and run \`keelson check\`, which starts nothing.`,
      facts: { problems },
    });
    this.problems = problems;
  }
}

/** Thrown when the service does not start; the started plugins were stopped. `report` is the start report. */
export class StartError extends KeelsonError {
  readonly report: StartReport;

  constructor(report: StartReport, reason?: unknown) {
    const failed = report.plugins.filter(plugin => plugin.outcome === 'failed' && !plugin.optional);
    const notTried = report.plugins.filter(plugin => plugin.outcome === 'not-tried').map(plugin => plugin.key);
    const errors = failed.length > 0 ? failed.map(plugin => plugin.error) : reason === undefined ? [] : [reason];
    const lines = failed.map(plugin => `\n  ${plugin.key}: ${codeAndLine(plugin.error)}${whenOf(plugin)}`);
    const rest = notTried.length > 0 ? `\n  not tried: ${notTried.join(', ')}` : '';
    super({
      code: 'KERNEL_START_FAILED',
      message: `${report.service} did not start, ${count(failed.length, report, errors[0])}${lines.join('')}${rest}`,
      hint: hintOf(errors),
      facts: { report },
      cause: errors.length > 1 ? new AggregateError(errors, 'Several plugins did not start.') : errors[0],
    });
    this.report = report;
  }
}

function count(failed: number, { plugins, durationMs }: StartReport, reason: unknown): string {
  if (failed === 0) return codeAndLine(reason);
  return `${failed} of ${plugins.length} plugins failed after ${Math.round(durationMs)} ms:`;
}

/** ` (in start at src/notes.plugin.ts:12:5, after 3005 ms, 3000 of them blocked by block)` */
function whenOf(plugin: PluginStartReport): string {
  const { failedIn, importMs, registerMs, startMs, readyMs } = plugin;
  if (failedIn === undefined) return '';
  const ms = { import: importMs, register: registerMs, start: startMs, ready: readyMs }[failedIn];
  const { ms: behindMs, keys } = behindOthers(plugin);
  const waited = keys.length === 0 ? '' : `, ${Math.round(behindMs)} of them blocked by ${keys.join(', ')}`;
  const place = errorPlace(plugin.error);
  const at = place === undefined ? '' : ` at ${place}`;
  return ` (in ${failedIn}${at}, after ${Math.round(ms)} ms${waited})`;
}

function hintOf(errors: readonly unknown[]): string {
  const hints = errors
    .map(error => (isKeelsonError(error) ? error.hint : undefined))
    .filter(hint => hint !== undefined);
  return hints[0] ?? 'Fix the cause, and start the service again.';
}

/** The start was cancelled; the plugins that had started were stopped. */
export function startCancelled(reason: string, report?: StartReport): KeelsonError {
  return new KeelsonError({
    code: 'KERNEL_START_CANCELLED',
    message: `The start was cancelled: ${reason}.`,
    hint: 'Start the service again if the stop was not intended.',
    facts: report === undefined ? { reason } : { reason, report },
  });
}

export function startTooLong(timeoutMs: number, waitingFor: readonly string[]): KeelsonError {
  return new KeelsonError({
    code: 'KERNEL_START_TIMEOUT',
    message: `The start did not finish within ${timeoutMs} ms; it was waiting for ${waitingFor.join(', ') || 'the plan'}.`,
    hint: 'Find out why the plugins above did not start, or set a larger startup.timeoutMs.',
    facts: { timeoutMs, waitingFor },
  });
}

/** Whether a hook gets a signal that aborts when its time is over, and can say what it waits for. */
export function heedsSignal(hook: string): boolean {
  return !['import', 'instrument', 'register', 'deactivation'].includes(hook);
}

/** A hook that ran out of its time. `last` is the error that it threw after its signal aborted. */
export function hookTimedOut(
  plugin: string,
  hook: string,
  timeoutMs: number,
  waitsFor: string | undefined,
  last: unknown,
): KeelsonError {
  const starting = ['import', 'instrument', 'register', 'start', 'ready'].includes(hook);
  const stopping = ['drain', 'stop', 'deactivation'].includes(hook);
  const canSay = heedsSignal(hook);
  const silent = canSay ? '; it did not say what it waits for' : '';
  const waited = waitsFor === undefined ? silent : `; it was waiting for ${waitsFor}`;
  const howToSay = ` Let the plugin report it: its ${hook} may call waitingFor('a connection to db:5432') of its context.`;
  const because = last instanceof Error ? ` Its last error: ${firstLine(last)}` : '';
  return new KeelsonError({
    code: starting ? 'KERNEL_START_TIMEOUT' : stopping ? 'KERNEL_STOP_TIMEOUT' : 'KERNEL_HOOK_TIMEOUT',
    message: `${plugin} did not finish its ${hook} within ${Math.round(timeoutMs)} ms${waited}.${because}`,
    hint: advice(plugin, hook, stopping) + (waitsFor === undefined && canSay ? howToSay : ''),
    facts: { plugin, hook, timeoutMs, ...(waitsFor !== undefined && { waitsFor }) },
    cause: last,
  });
}

function advice(plugin: string, hook: string, stopping: boolean): string {
  if (stopping) return 'Find out what the plugin was still doing, or set a larger shutdown.budgetMs.';
  if (hook === 'inspect') return 'Return only facts that the plugin already has, and wait for nothing.';
  return `Find out what its ${hook} waits for, or set plugins.${plugin}.startTimeoutMs.`;
}

export function notBound({ key, use }: PlannedPlugin, tokens: readonly string[]): KeelsonError {
  return new KeelsonError({
    code: 'PLUGIN_TOKEN_NOT_BOUND',
    message: `${use} lists ${tokens.join(', ')} in \`provides\`, but does not bind it.`,
    hint: 'Bind it in `register`, or remove it from `provides`.',
    facts: { plugin: key, tokens },
  });
}
