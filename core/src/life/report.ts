import { isKeelsonError } from '../contract/keelson-error.js';
import { describeError } from '../secrets/describe-error.js';
import { maskText } from '../secrets/mask-text.js';

export type StartOutcome = 'started' | 'failed' | 'cancelled' | 'not-tried';

export type StartStep = 'import' | 'register' | 'start' | 'ready';

/** What became of one plugin during a start. Durations are in milliseconds. */
export interface PluginStartReport {
  readonly key: string;
  readonly use: string;
  readonly level: number;
  /** True when the service runs also without it: a failed start is tried again in the background. */
  readonly optional: boolean;
  readonly outcome: StartOutcome;
  /** Includes the import during the plan, for a file that has no manifest of its own. */
  readonly importMs: number;
  readonly registerMs: number;
  readonly startMs: number;
  readonly readyMs: number;
  /** How long its hooks blocked the process: for each hook, from its call to its first `await`. */
  readonly blockedMs: number;
  /** The part of the times above in which other plugins blocked the process, by the key of the other plugin. */
  readonly behind: Readonly<Record<string, number>>;
  /** The services of others that it has wrapped. */
  readonly decorates?: readonly string[];
  /** The step that failed. */
  readonly failedIn?: StartStep;
  readonly error?: unknown;
  /** For a plugin that was not tried: the keys of the needed plugins that did not start. */
  readonly missed?: readonly string[];
}

export interface StartReport {
  readonly service: string;
  readonly environment: string | undefined;
  readonly outcome: 'ready' | 'failed' | 'cancelled';
  readonly durationMs: number;
  /** Until the plan was valid, without the imports that are part of the `importMs` of the plugins. */
  readonly planMs: number;
  readonly levels: number;
  readonly plugins: readonly PluginStartReport[];
}

export interface PluginStopReport {
  readonly key: string;
  readonly outcome: 'stopped' | 'failed' | 'timed-out';
  readonly drainMs: number;
  readonly stopMs: number;
  readonly errors: readonly unknown[];
}

export interface StopReport {
  readonly service: string;
  readonly reason: string;
  /** `failed`: a hook threw. `budget-exceeded`: a hook was given up because its time was over. */
  readonly outcome: 'clean' | 'failed' | 'budget-exceeded';
  readonly durationMs: number;
  readonly phases: {
    readonly noticeMs: number;
    readonly drainMs: number;
    readonly stopMs: number;
    readonly flushMs: number;
  };
  readonly plugins: readonly PluginStopReport[];
}

/** The start as a tree with times; the failures and what was not tried, when there are any. */
export function formatStartReport(report: StartReport): string {
  const lines = [headline(report)];
  const width = Math.max(planName.length, ...report.plugins.map(plugin => plugin.key.length));
  const entries = [
    [planName, `${time(report.planMs)}  configuration and manifests`] as const,
    ...report.plugins.map(plugin => [plugin.key, describeStart(plugin)] as const),
  ];
  entries.forEach(([key, said], index) => {
    lines.push(`${index === entries.length - 1 ? '└──' : '├──'} ${key.padEnd(width)}  ${said}`);
  });
  return lines.join('\n');
}

const planName = '(plan)';
/** Less than this is not worth a word, in milliseconds. */
const noticeableMs = 50;

function time(ms: number): string {
  return `${String(Math.round(ms)).padStart(5)} ms`;
}

function headline({ service, outcome, durationMs, plugins }: StartReport): string {
  const time = `${Math.round(durationMs)} ms`;
  if (outcome === 'ready') return `${service} ready in ${time}`;
  if (outcome === 'cancelled') return `${service}: the start was cancelled after ${time}`;
  const failed = plugins.filter(plugin => plugin.outcome === 'failed' && !plugin.optional).length;
  return `${service} did not start: ${failed} of ${plugins.length} plugins failed after ${time}`;
}

function describeStart(plugin: PluginStartReport): string {
  if (plugin.outcome === 'not-tried')
    return `not tried${plugin.missed?.length ? `: needs ${plugin.missed.join(', ')}` : ''}`;
  return `${time(ownMs(plugin))}  ${describeOutcome(plugin)}${describeBlocking(plugin)}`;
}

function describeOutcome({ outcome, use, decorates, error, optional }: PluginStartReport): string {
  switch (outcome) {
    case 'started':
      return `${use}${decorates === undefined ? '' : `  decorates ${decorates.join(', ')}`}`;
    case 'failed':
      return `${knownCode(error) === undefined ? 'failed: ' : ''}${codeAndLine(error)}${optional ? '  (optional: tried again in the background)' : ''}`;
    default:
      return outcome;
  }
}

/** `  blocks the process for 2999 ms`, or `  (and 2999 ms blocked by block)`. */
function describeBlocking(plugin: PluginStartReport): string {
  const { blockedMs } = plugin;
  const own = blockedMs < noticeableMs ? '' : `  blocks the process for ${Math.round(blockedMs)} ms`;
  const { ms, keys } = behindOthers(plugin);
  return keys.length === 0 ? own : `${own}  (and ${Math.round(ms)} ms blocked by ${keys.join(', ')})`;
}

/** One line when all went well; otherwise one more for each plugin that did not stop as it should. */
export function formatStopReport({ service, reason, outcome, durationMs, plugins }: StopReport): string {
  const how = {
    clean: 'stopped',
    failed: 'stopped with errors',
    'budget-exceeded': 'stopped with timeouts',
  }[outcome];
  const lines = [`${service} ${how} in ${Math.round(durationMs)} ms (${reason})`];
  for (const plugin of plugins) {
    for (const error of plugin.errors) lines.push(`  ${plugin.key}  ${plugin.outcome}  ${codeAndLine(error)}`);
  }
  return lines.join('\n');
}

/** The plugins that it waited for, when the wait was long enough to report. */
export function behindOthers({ behind }: PluginStartReport): { readonly ms: number; readonly keys: readonly string[] } {
  const others = Object.entries(behind).filter(([, ms]) => ms >= noticeableMs);
  return { ms: others.reduce((sum, [, ms]) => sum + ms, 0), keys: others.map(([key]) => key) };
}

/** A report that `JSON.stringify` can write: every error described, without secrets. */
export function reportToJson(report: StartReport | StopReport): object {
  const plugins = report.plugins.map(plugin => {
    if ('errors' in plugin) return { ...plugin, errors: plugin.errors.map(error => describeError(error)) };
    return plugin.error === undefined ? plugin : { ...plugin, error: describeError(plugin.error) };
  });
  return { ...report, plugins };
}

export function totalMs(plugin: PluginStartReport): number {
  return plugin.importMs + plugin.registerMs + plugin.startMs + plugin.readyMs;
}

/** Without what it has only waited behind others. */
function ownMs(plugin: PluginStartReport): number {
  const behindMs = Object.values(plugin.behind).reduce((sum, ms) => sum + ms, 0);
  return Math.max(0, totalMs(plugin) - behindMs);
}

export function errorCode(error: unknown): string {
  return knownCode(error) ?? 'failed';
}

/** `DATABASE_CONNECT_FAILED  The database refused the password.`; the sentence alone when it has no code. */
export function codeAndLine(error: unknown): string {
  const code = knownCode(error);
  return code === undefined ? firstLine(error) : `${code}  ${firstLine(error)}`;
}

function knownCode(error: unknown): string | undefined {
  if (isKeelsonError(error)) return error.code;
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** The first line of what was thrown, without secrets. */
export function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return maskText(text).split('\n')[0] ?? '';
}
