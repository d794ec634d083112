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
import { DirectLines } from './direct-lines.js';
import { levelNumber } from './level-number.js';
import { PlainKeys } from './plain-keys.js';
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
  /** Receives the line of a finished record, where `JSON.stringify` makes one; left out, `write` receives every record. */
  writeLine?(line: string, level: number): void;
  flush(): Promise<void>;
}

export function createBunyanLogger(settings: BunyanLoggerSettings): BunyanLogger {
  const shared: Shared = {
    copy: createMask({ secretKeys: settings.secretKeys }),
    keys: new PlainKeys(new Set([...reserved, 'error'])),
    lowest: logLevels.indexOf(settings.level),
    writeLine: settings.writeLine,
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
  readonly keys: PlainKeys;
  lowest: number;
  readonly writeLine: BunyanLoggerSettings['writeLine'];
  readonly flush: () => Promise<void>;
}

/** Passes only JSON values to bunyan, and catches its errors, so that logging never throws. */
class HardenedLogger implements BunyanLogger {
  readonly #bunyan: bunyan;
  readonly #shared: Shared;
  readonly #lines: DirectLines;

  constructor(inner: bunyan, shared: Shared) {
    this.#bunyan = inner;
    this.#shared = shared;
    this.#lines = new DirectLines(inner.fields, shared.keys, shared.copy);
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
    return new HardenedLogger(
      this.#bunyan.child(fieldsOf(this.#shared.copy(facts), this.#shared.copy), true),
      this.#shared,
    );
  }

  flush(): Promise<void> {
    return this.#shared.flush();
  }

  #write(level: LogLevel, message: string, facts: Facts | undefined): void {
    if (!this.isEnabled(level)) return;
    try {
      if (!this.#writeLine(level, message, facts)) this.#writeRecord(level, message, facts);
    } catch {
      // A lost line does less harm than a request that fails in a log call.
    }
  }

  #writeLine(level: LogLevel, message: string, facts: Facts | undefined): boolean {
    const { writeLine } = this.#shared;
    const line = writeLine === undefined ? undefined : this.#lines.lineOf(level, message, facts);
    if (line === undefined) return false;
    writeLine?.(line, levelNumber(level));
    return true;
  }

  #writeRecord(level: LogLevel, message: string, facts: Facts | undefined): void {
    const { copy, keys } = this.#shared;
    const copied = copy(facts);
    const fields = { ...currentContext(), ...fieldsOf(copied, copy) };
    this.#bunyan[level](fields, String(copy(message)));
    if (facts !== undefined) keys.learn(facts, copied);
  }
}

/** Fields of the record itself: a fact of that name would overwrite the field, or give the record another prototype. */
const reserved = new Set(['name', 'hostname', 'pid', 'level', 'time', 'msg', 'v', 'src', '__proto__']);

/** `error` becomes bunyan's `err`; facts named like a field of the record move under `facts`. */
function fieldsOf(copied: unknown, copy: Mask): Record<string, unknown> {
  if (typeof copied !== 'object' || copied === null) return copied === undefined ? {} : { facts: copied };
  const fields: Record<string, unknown> = {};
  const moved: [string, unknown][] = [];
  for (const [key, value] of Object.entries(copied)) {
    if (key === 'error') fields.err = typeof value === 'object' ? value : describeError(value, copy);
    else if (reserved.has(key)) moved.push([key, value]);
    else fields[key] = value;
  }
  return moved.length === 0 ? fields : { ...fields, facts: Object.fromEntries(moved) };
}
