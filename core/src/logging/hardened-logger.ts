import type { Clock } from '../contract/clock.js';
import { type CorrelationContext, currentContext } from '../contract/context.js';
import type { Facts } from '../contract/keelson-error.js';
import { type Logger, type LogLevel, logLevels } from '../contract/slots/logger.js';
import { createMask, type Mask } from '../secrets/create-mask.js';
import { fieldsOf } from './fields-of.js';
import { kindOfFailure } from './kind-of-failure.js';
import type { LogLevels, Threshold } from './log-levels.js';
import { RepeatedFailures, type RepeatOptions } from './repeated-failures.js';

/** A logger whose level can be changed while it runs, for itself and all its children. */
export interface LeveledLogger extends Logger {
  /** The level in force. Setting it changes the configured level of all plugins that have no level of their own. */
  level: LogLevel;
  child(facts: Facts): LeveledLogger;
}

/** Writes the records of one logger with a library. */
export interface RecordWriter {
  /** Writes one record. All values are JSON and without secrets. */
  write(level: LogLevel, message: string, fields: Readonly<Record<string, unknown>>): void;
  /** Writes the line of a usual record at once, without copying its facts; false when it is not a usual one. */
  writeDirectly?(level: LogLevel, message: string, facts: Facts | undefined, ids: CorrelationContext): boolean;
  /** Receives facts and their masked copy, so that `writeDirectly` can recognize such facts as usual later. */
  learn?(facts: Facts, copied: unknown): void;
  /** A writer whose records have these fields as well, which come last. */
  child(fields: Readonly<Record<string, unknown>>): RecordWriter;
}

export interface HardenedLoggerParts {
  readonly writer: (mask: Mask) => RecordWriter;
  /** Fields of the record itself: a fact of that name moves under `facts`. */
  readonly reserved: ReadonlySet<string>;
  readonly levels: LogLevels;
  readonly repeats: RepeatOptions | false;
  readonly clock: Clock;
  /** Beyond the usual ones. */
  readonly secretKeys: readonly string[];
  /** The ids of the calling code. Default: those of its context. */
  readonly ids?: (() => CorrelationContext) | undefined;
  flush(): Promise<void>;
}

/**
 * A logger that passes only JSON values without secrets to a library and catches its errors, so that logging never throws;
 * that adds the ids of the request; and that sums up failures that repeat.
 */
export function createHardenedLogger(parts: HardenedLoggerParts): LeveledLogger {
  const { levels, repeats, clock, reserved } = parts;
  const copy = createMask({ secretKeys: parts.secretKeys });
  const shared: Shared = {
    copy,
    levels,
    reserved,
    repeats:
      repeats === false
        ? undefined
        : new RepeatedFailures(repeats, clock, ({ logger, ...line }, repeated, repeatedForMs) =>
            logger.writeRepeated(line, { repeated, repeatedForMs }),
          ),
    ids: parts.ids ?? currentContext,
    flush: () => parts.flush(),
  };
  return new HardenedLogger(parts.writer(copy), shared, levels.general);
}

interface Line {
  readonly level: LogLevel;
  readonly message: string;
  readonly facts: Facts | undefined;
  readonly ids: CorrelationContext;
}

interface Shared {
  readonly copy: Mask;
  readonly levels: LogLevels;
  readonly reserved: ReadonlySet<string>;
  readonly repeats: RepeatedFailures<Line & { readonly logger: HardenedLogger }> | undefined;
  readonly ids: () => CorrelationContext;
  readonly flush: () => Promise<void>;
}

/** Below it no line reports a failure; the process ends after one of level `fatal`. */
const warn = logLevels.indexOf('warn');
const fatal = logLevels.indexOf('fatal');

class HardenedLogger implements LeveledLogger {
  readonly #writer: RecordWriter;
  readonly #shared: Shared;
  readonly #threshold: Threshold;
  readonly #plugin: string | undefined;

  constructor(writer: RecordWriter, shared: Shared, threshold: Threshold, plugin?: string) {
    this.#writer = writer;
    this.#shared = shared;
    this.#threshold = threshold;
    this.#plugin = plugin;
  }

  get level(): LogLevel {
    return logLevels[this.#threshold.lowest] ?? 'info';
  }

  set level(level: LogLevel) {
    this.#shared.levels.configure({ level });
  }

  trace(message: string, facts?: Facts): void {
    this.#write('trace', message, facts);
  }

  debug(message: string, facts?: Facts): void {
    this.#write('debug', message, facts);
  }

  info(message: string, facts?: Facts): void {
    this.#write('info', message, facts);
  }

  warn(message: string, facts?: Facts): void {
    this.#write('warn', message, facts);
  }

  error(message: string, facts?: Facts): void {
    this.#write('error', message, facts);
  }

  fatal(message: string, facts?: Facts): void {
    this.#write('fatal', message, facts);
  }

  isEnabled(level: LogLevel): boolean {
    return logLevels.indexOf(level) >= this.#threshold.lowest;
  }

  child(facts: Facts): LeveledLogger {
    const { copy, reserved, levels } = this.#shared;
    const fields = fieldsOf(copy(facts), copy, reserved);
    const { plugin } = fields;
    const writer = this.#writer.child(fields);
    if (typeof plugin === 'string') return new HardenedLogger(writer, this.#shared, levels.of(plugin), plugin);
    return new HardenedLogger(writer, this.#shared, this.#threshold, this.#plugin);
  }

  flush(): Promise<void> {
    this.#shared.repeats?.report();
    return this.#shared.flush();
  }

  /** Writes the last of many lines of one kind, with their number. */
  writeRepeated({ level, message, facts, ids }: Line, counts: Readonly<Record<string, number>>): void {
    try {
      this.#writeRecord(level, message, facts, ids, counts);
    } catch {
      // As below.
    }
  }

  #write(level: LogLevel, message: string, facts: Facts | undefined): void {
    if (!this.isEnabled(level)) return;
    try {
      const ids = this.#shared.ids();
      if (this.#isCounted(level, message, facts, ids)) return;
      if (this.#writer.writeDirectly?.(level, message, facts, ids) === true) return;
      this.#writeRecord(level, message, facts, ids);
    } catch {
      // A lost line does less harm than a request that fails in a log call.
    }
  }

  #writeRecord(
    level: LogLevel,
    message: string,
    facts: Facts | undefined,
    ids: CorrelationContext,
    counts?: Readonly<Record<string, number>>,
  ): void {
    const { copy, reserved } = this.#shared;
    const copied = copy(facts);
    this.#writer.write(level, String(copy(message)), { ...ids, ...fieldsOf(copied, copy, reserved), ...counts });
    if (facts !== undefined) this.#writer.learn?.(facts, copied);
  }

  /** Whether it reports a failure that has filled its lines of this period. */
  #isCounted(level: LogLevel, message: string, facts: Facts | undefined, ids: CorrelationContext): boolean {
    const { repeats } = this.#shared;
    const index = logLevels.indexOf(level);
    if (repeats === undefined || index < warn || index >= fatal) return false;
    const kind = kindOf(level, this.#plugin, message, facts);
    return kind !== undefined && !repeats.admits(kind, { logger: this, level, message, facts, ids });
  }
}

/** Facts that cannot be read are no failure that is known to repeat. */
function kindOf(...line: Parameters<typeof kindOfFailure>): string | undefined {
  try {
    return kindOfFailure(...line);
  } catch {
    return undefined;
  }
}
