import type { Clock, Timer } from '../contract/clock.js';
import { type LogLevel, logLevels } from '../contract/slots/logger.js';

/** The index in `logLevels` of the lowest level that is written. One object for all loggers of a plugin, so that they follow. */
export interface Threshold {
  lowest: number;
}

export interface ConfiguredLevels {
  readonly level: LogLevel;
  /** By the key of a plugin. */
  readonly levels?: Readonly<Record<string, LogLevel>>;
}

/** A level that holds in place of the configured one, until its time is over. */
export interface TemporaryLevel {
  readonly level: LogLevel;
  /** Undefined: of every plugin without one of its own. */
  readonly plugin: string | undefined;
  readonly until: Date;
}

interface Temporary extends TemporaryLevel {
  readonly timer: Timer;
}

/** The plugins whose level can differ; a logger of any further one follows the general level. */
const mostPlugins = 1_000;

/**
 * The levels in force: those of the configuration, and those that an operator has set for a time. A reload changes the
 * configured ones alone; a temporary level stays until its time is over, and then the configured one of that moment holds.
 */
export class LogLevels {
  readonly general: Threshold;
  readonly #clock: Clock;
  readonly #plugins = new Map<string, Threshold>();
  readonly #temporary = new Map<string | undefined, Temporary>();
  #configured: ConfiguredLevels;

  constructor(configured: ConfiguredLevels, clock: Clock) {
    this.#configured = configured;
    this.#clock = clock;
    this.general = { lowest: logLevels.indexOf(configured.level) };
  }

  /** The configured level of all plugins without one of their own. */
  get level(): LogLevel {
    return this.#configured.level;
  }

  /** The plugins that have a logger, in the order in which they got it. */
  get plugins(): readonly string[] {
    return [...this.#plugins.keys()];
  }

  /** The threshold of a plugin; it changes with the levels. */
  of(plugin: string): Threshold {
    const known = this.#plugins.get(plugin);
    if (known !== undefined) return known;
    if (this.#plugins.size >= mostPlugins) return this.general;
    const threshold = { lowest: logLevels.indexOf(this.inForce(plugin)) };
    this.#plugins.set(plugin, threshold);
    return threshold;
  }

  inForce(plugin?: string): LogLevel {
    const { level, levels = {} } = this.#configured;
    const own = plugin === undefined ? undefined : this.#temporary.get(plugin);
    const general = this.#temporary.get(undefined);
    const configured = plugin !== undefined && Object.hasOwn(levels, plugin) ? levels[plugin] : undefined;
    return own?.level ?? general?.level ?? configured ?? level;
  }

  /** The plugins with a configured level of their own. */
  get configuredPlugins(): Readonly<Record<string, LogLevel>> {
    return this.#configured.levels ?? {};
  }

  configure(configured: ConfiguredLevels): void {
    this.#configured = { ...this.#configured, ...configured };
    this.#apply();
  }

  /** Sets a level for `forMs`, in place of an earlier temporary one. */
  set(level: LogLevel, plugin: string | undefined, forMs: number): TemporaryLevel {
    this.#temporary.get(plugin)?.timer.cancel();
    const until = new Date(this.#clock.date().getTime() + forMs);
    const timer = this.#clock.schedule(forMs, () => this.reset(plugin));
    this.#temporary.set(plugin, { level, plugin, until, timer });
    this.#apply();
    return { level, plugin, until };
  }

  /** Ends a temporary level before its time; false when there is none. */
  reset(plugin: string | undefined): boolean {
    const temporary = this.#temporary.get(plugin);
    if (temporary === undefined) return false;
    temporary.timer.cancel();
    this.#temporary.delete(plugin);
    this.#apply();
    return true;
  }

  temporary(): readonly TemporaryLevel[] {
    return [...this.#temporary.values()].map(({ level, plugin, until }) => ({ level, plugin, until }));
  }

  /** Cancels the timers that end temporary levels; the levels stay as they are. */
  close(): void {
    for (const { timer } of this.#temporary.values()) timer.cancel();
  }

  #apply(): void {
    this.general.lowest = logLevels.indexOf(this.inForce());
    for (const [plugin, threshold] of this.#plugins) threshold.lowest = logLevels.indexOf(this.inForce(plugin));
  }
}
