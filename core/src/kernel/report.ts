import { describeError } from '../errors/describe-error.js';
import { isKeelsonError } from '../errors/keelson-error.js';
import { maskText } from '../safe/mask-text.js';

export type StartOutcome = 'started' | 'failed' | 'cancelled' | 'not-tried';

export type StartStep = 'import' | 'register' | 'start' | 'ready';

/** What became of one plugin during a start. Durations are in milliseconds. */
export interface PluginStartReport {
  readonly key: string;
  readonly use: string;
  readonly level: number;
  /** When it failed: the service runs without it, and it is tried again in the background. */
  readonly optional: boolean;
  readonly outcome: StartOutcome;
  readonly importMs: number;
  readonly registerMs: number;
  readonly startMs: number;
  readonly readyMs: number;
  /** The services of others that it has wrapped. */
  readonly decorates?: readonly string[];
  /** The step that failed. */
  readonly failedIn?: StartStep;
  readonly error?: unknown;
  /** The keys it needs, for one that was not tried: which of them were missing. */
  readonly missed?: readonly string[];
}

export interface BootReport {
  readonly service: string;
  readonly environment: string | undefined;
  readonly outcome: 'ready' | 'failed' | 'cancelled';
  readonly durationMs: number;
  /** Until the plan held. */
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
export function formatBootReport(report: BootReport): string {
  const lines = [headline(report)];
  const width = Math.max(0, ...report.plugins.map(plugin => plugin.key.length));
  report.plugins.forEach((plugin, index) => {
    const branch = index === report.plugins.length - 1 ? '└──' : '├──';
    lines.push(`${branch} ${plugin.key.padEnd(width)}  ${describeStart(plugin)}`);
  });
  return lines.join('\n');
}

function headline({ service, outcome, durationMs, plugins }: BootReport): string {
  const time = `${Math.round(durationMs)} ms`;
  if (outcome === 'ready') return `${service} ready in ${time}`;
  if (outcome === 'cancelled') return `${service}: the start was cancelled after ${time}`;
  const failed = plugins.filter(plugin => plugin.outcome === 'failed' && !plugin.optional).length;
  return `${service} did not start: ${failed} of ${plugins.length} plugins failed after ${time}`;
}

function describeStart(plugin: PluginStartReport): string {
  const time = `${String(Math.round(totalMs(plugin))).padStart(5)} ms`;
  switch (plugin.outcome) {
    case 'started':
      return `${time}  ${plugin.use}${plugin.decorates === undefined ? '' : `  decorates ${plugin.decorates.join(', ')}`}`;
    case 'cancelled':
      return `${time}  cancelled`;
    case 'not-tried':
      return `not tried${plugin.missed?.length ? `: needs ${plugin.missed.join(', ')}` : ''}`;
    case 'failed':
      return `${time}  ${errorCode(plugin.error)}  ${firstLine(plugin.error)}${plugin.optional ? '  (optional: tried again in the background)' : ''}`;
  }
}

/** A report that `JSON.stringify` can write: every error described, without secrets. */
export function reportToJson(report: BootReport | StopReport): unknown {
  const plugins = report.plugins.map(plugin => {
    if ('errors' in plugin) return { ...plugin, errors: plugin.errors.map(error => describeError(error)) };
    return plugin.error === undefined ? plugin : { ...plugin, error: describeError(plugin.error) };
  });
  return { ...report, plugins };
}

export function totalMs(plugin: PluginStartReport): number {
  return plugin.importMs + plugin.registerMs + plugin.startMs + plugin.readyMs;
}

export function errorCode(error: unknown): string {
  if (isKeelsonError(error)) return error.code;
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : 'failed';
}

/** The first line of what was thrown, without secrets. */
export function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return maskText(text.split('\n')[0] ?? '');
}
