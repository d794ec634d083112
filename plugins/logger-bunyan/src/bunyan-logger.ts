import {
  createMask,
  currentContext,
  describeError,
  type Facts,
  type Logger,
  type LogLevel,
  logLevels,
  type Mask,
} from '@keelson/core';
import bunyan from 'bunyan';
import type { LogRecord } from './pretty-line.js';

/** A logger whose level can be changed while it runs, for itself and all its children. */
export interface BunyanLogger extends Logger {
  level: LogLevel;
  child(facts: Facts): BunyanLogger;
}

export interface BunyanLoggerSettings {
  /** The `name` of every record. */
  readonly name: string;
  readonly level: LogLevel;
  /** Beyond the usual ones. */
  readonly secretKeys: readonly string[];
  /** Receives a finished record, with its secrets masked. */
  write(record: LogRecord): void;
  flush(): Promise<void>;
}

export function createBunyanLogger(settings: BunyanLoggerSettings): BunyanLogger {
  const shared: Shared = {
    copy: createMask({ secretKeys: settings.secretKeys }),
    lowest: logLevels.indexOf(settings.level),
    flush: () => settings.flush(),
  };
  const stream = { write: (record: object) => settings.write({ ...record }) };
  // bunyan itself writes every record, as a bunyan child would keep the level its parent had when it was made.
  const root = bunyan.createLogger({
    name: settings.name,
    streams: [{ type: 'raw', level: 'trace', stream }],
  });
  return new HardenedLogger(root, shared);
}

interface Shared {
  readonly copy: Mask;
  lowest: number;
  readonly flush: () => Promise<void>;
}

/** Passes only JSON values to bunyan, and catches its errors, so that logging never throws. */
class HardenedLogger implements BunyanLogger {
  readonly #bunyan: bunyan;
  readonly #shared: Shared;

  constructor(inner: bunyan, shared: Shared) {
    this.#bunyan = inner;
    this.#shared = shared;
  }

  get level(): LogLevel {
    return logLevels[this.#shared.lowest] ?? 'info';
  }

  set level(level: LogLevel) {
    this.#shared.lowest = logLevels.indexOf(level);
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
    return logLevels.indexOf(level) >= this.#shared.lowest;
  }

  child(facts: Facts): BunyanLogger {
    return new HardenedLogger(this.#bunyan.child(fieldsOf(facts, this.#shared.copy), true), this.#shared);
  }

  flush(): Promise<void> {
    return this.#shared.flush();
  }

  #write(level: LogLevel, message: string, facts: Facts | undefined): void {
    if (!this.isEnabled(level)) return;
    try {
      const fields = { ...currentContext(), ...fieldsOf(facts, this.#shared.copy) };
      this.#bunyan[level](fields, String(this.#shared.copy(message)));
    } catch {
      // A lost line does less harm than a request that fails in a log call.
    }
  }
}

/** Fields of the record itself: a fact of that name would overwrite the field. */
const reserved = new Set(['name', 'hostname', 'pid', 'level', 'time', 'msg', 'v', 'src']);

/** `error` becomes bunyan's `err`; facts named like a field of the record move under `facts`. */
function fieldsOf(facts: Facts | undefined, copy: Mask): Record<string, unknown> {
  const copied = copy(facts);
  if (typeof copied !== 'object' || copied === null) return copied === undefined ? {} : { facts: copied };
  const fields: Record<string, unknown> = {};
  const moved: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(copied)) {
    if (key === 'error') fields.err = typeof value === 'object' ? value : describeError(value, copy);
    else if (reserved.has(key)) moved[key] = value;
    else fields[key] = value;
  }
  return Object.keys(moved).length === 0 ? fields : { ...fields, facts: moved };
}
