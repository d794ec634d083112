import type { Container } from 'inversify';
import type { Settings } from '../config/settings.js';
import type { Clock } from '../contract/clock.js';
import { Deadline } from '../contract/deadline.js';
import { isKeelsonError } from '../contract/keelson-error.js';
import { Logger } from '../contract/slots/logger.js';
import { Telemetry } from '../contract/slots/telemetry.js';
import { defaultPartingMs, runWithin } from '../time/run-within.js';
import type { PluginStopReport, StopReport } from './report.js';
import type { RunningPlugin } from './running-plugin.js';

export interface Shutdown {
  readonly service: string;
  readonly reason: string;
  readonly container: Container;
  readonly clock: Clock;
  readonly settings: Settings['shutdown'];
  /** In the order of their start. */
  readonly plugins: readonly RunningPlugin[];
  /** Whether the service was serving; a failed start has no clients to notify. */
  readonly serving: boolean;
}

/**
 * Gives notice, lets work drain, stops the plugins in the reverse order of their start and flushes what is left to say,
 * all inside one budget. Throws nothing: a failure is in the report, and does not keep other plugins from stopping.
 */
export async function shutDown(shutdown: Shutdown): Promise<StopReport> {
  const { clock, settings } = shutdown;
  const startedAt = clock.now();
  const budget = Deadline.after(settings.budgetMs, clock);
  const deadline = Deadline.after(Math.max(0, settings.budgetMs - settings.flushMs), clock);
  const tallies = new Map(shutdown.plugins.map(plugin => [plugin, new Tally(plugin.key)]));
  const keepers = keepersOf(shutdown.plugins);
  const levels = reverseLevels(shutdown.plugins);
  const each = async (work: (plugin: RunningPlugin, tally: Tally) => Promise<void>, which = shutdown.plugins) => {
    for (const level of levels) {
      await Promise.all(
        level.map(plugin => {
          const tally = which.includes(plugin) ? tallies.get(plugin) : undefined;
          return tally && work(plugin, tally);
        }),
      );
    }
  };
  // What a hung hook may still say comes out of the time for flushing: there must be some left.
  const partingMs = Math.min(defaultPartingMs, settings.flushMs / 2);
  const stop = (plugin: RunningPlugin, tally: Tally) =>
    tally.stop(clock, () => plugin.stop(deadline.remainingMs(), partingMs));

  const noticeMs = await timed(clock, async () => {
    const pauseMs = shutdown.serving ? Math.min(settings.noticeMs, deadline.remainingMs()) : 0;
    if (pauseMs > 0) await clock.sleep(pauseMs);
  });
  const drainMs = await timed(clock, async () => {
    const drained = deadline.within(settings.drainMs);
    // All at once: a plugin that accepts work must not wait for the plugins that do the work.
    await Promise.all(
      [...tallies].map(([plugin, tally]) => tally.drain(clock, () => plugin.drain(drained.remainingMs(), partingMs))),
    );
  });
  const others = shutdown.plugins.filter(plugin => !keepers.has(plugin));
  const stopMs = await timed(clock, () => each(stop, others));
  const flushMs = await timed(clock, async () => {
    tellErrors(shutdown.container, [...tallies.values()]);
    await flush(shutdown.container, clock, Math.min(settings.flushMs, budget.remainingMs()));
    await each(stop, [...keepers]);
  });
  // After all of them, because until now a late line or a late look-up must still find its service.
  await each((plugin, tally) => tally.stop(clock, () => plugin.unload(budget.remainingMs())));

  const plugins = [...tallies.values()].map(tally => tally.report());
  return {
    service: shutdown.service,
    reason: shutdown.reason,
    outcome: outcomeOf(plugins),
    durationMs: clock.now() - startedAt,
    phases: { noticeMs, drainMs, stopMs, flushMs },
    plugins,
  };
}

function reverseLevels(plugins: readonly RunningPlugin[]): RunningPlugin[][] {
  const levels = Map.groupBy(plugins, plugin => plugin.planned.level);
  return [...levels].sort(([a], [b]) => b - a).map(([, level]) => level);
}

/** Those that keep the record of the stop, and so are stopped after it: logger, telemetry and what they need. */
function keepersOf(plugins: readonly RunningPlugin[]): ReadonlySet<RunningPlugin> {
  const keepers = new Set(plugins.filter(({ key }) => key === 'logger' || key === 'telemetry'));
  for (const keeper of keepers) {
    for (const plugin of plugins) if (keeper.planned.needs.has(plugin.key)) keepers.add(plugin);
  }
  return keepers;
}

function tellErrors(container: Container, tallies: readonly Tally[]): void {
  const logger = container.isBound(Logger) ? container.get(Logger) : undefined;
  for (const { key, errors } of tallies.map(tally => tally.report())) {
    for (const error of errors) logger?.error('plugin did not stop cleanly', { plugin: key, error });
  }
}

async function flush(container: Container, clock: Clock, timeoutMs: number): Promise<void> {
  const within = (work: () => Promise<unknown>) =>
    runWithin({ clock, timeoutMs, work, onTimeout: () => new Error('flush'), partingMs: 0 }).catch(() => undefined);
  const telemetry = container.isBound(Telemetry) ? container.get(Telemetry) : undefined;
  const logger = container.isBound(Logger) ? container.get(Logger) : undefined;
  await Promise.all([within(async () => telemetry?.flush(timeoutMs)), within(async () => logger?.flush())]);
}

function outcomeOf(plugins: readonly PluginStopReport[]): StopReport['outcome'] {
  if (plugins.some(plugin => plugin.outcome === 'timed-out')) return 'budget-exceeded';
  return plugins.some(plugin => plugin.outcome === 'failed') ? 'failed' : 'clean';
}

async function timed(clock: Clock, work: () => Promise<void>): Promise<number> {
  const from = clock.now();
  await work();
  return clock.now() - from;
}

/** Keeps what one plugin's stop took and what went wrong in it. */
class Tally {
  readonly #key: string;
  readonly #errors: unknown[] = [];
  #drainMs = 0;
  #stopMs = 0;

  constructor(key: string) {
    this.#key = key;
  }

  async drain(clock: Clock, work: () => Promise<void>): Promise<void> {
    this.#drainMs += await timed(clock, () => this.#isolate(work));
  }

  async stop(clock: Clock, work: () => Promise<void>): Promise<void> {
    this.#stopMs += await timed(clock, () => this.#isolate(work));
  }

  report(): PluginStopReport {
    const timedOut = this.#errors.some(error => isKeelsonError(error, 'KERNEL_STOP_TIMEOUT'));
    const outcome = timedOut ? 'timed-out' : this.#errors.length > 0 ? 'failed' : 'stopped';
    return { key: this.#key, outcome, drainMs: this.#drainMs, stopMs: this.#stopMs, errors: this.#errors };
  }

  async #isolate(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#errors.push(error);
    }
  }
}
