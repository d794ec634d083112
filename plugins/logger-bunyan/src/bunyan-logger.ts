import { type Clock, type CorrelationContext, type LogLevel, type Mask, systemClock } from '@keelson/core';
import {
  createHardenedLogger,
  type LeveledLogger,
  LogLevels,
  type LogRecord,
  type RecordWriter,
  type RepeatOptions,
} from '@keelson/core/logging';
import bunyan from 'bunyan';
import { DirectLines } from './direct-lines.js';
import { levelNumber } from './level-number.js';
import { PlainKeys } from './plain-keys.js';

/** A logger whose level can be changed while it runs, for itself and all its children. */
export type BunyanLogger = LeveledLogger;

export interface BunyanLoggerSettings {
  /** The `name` of every record. */
  readonly name: string;
  /** The configured level, where `levels` has none. */
  readonly level: LogLevel;
  readonly levels?: LogLevels;
  readonly repeats?: RepeatOptions | false;
  readonly clock?: Clock;
  readonly ids?: (() => CorrelationContext) | undefined;
  /** Beyond the usual ones. */
  readonly secretKeys: readonly string[];
  /** Receives a finished record, with its secrets masked. */
  write(record: LogRecord): void;
  /** Receives the line of a finished record, where `JSON.stringify` makes one; left out, `write` receives every record. */
  writeLine?(line: string, level: number): void;
  flush(): Promise<void>;
}

/** Fields of the record itself: a fact of that name would overwrite the field, or give the record another prototype. */
const reserved = new Set(['name', 'hostname', 'pid', 'level', 'time', 'msg', 'v', 'src', '__proto__']);

export function createBunyanLogger(settings: BunyanLoggerSettings): BunyanLogger {
  const { name, level, secretKeys, writeLine, ids, repeats = false, clock = systemClock } = settings;
  const stream = { write: (record: object) => settings.write({ ...record }) };
  // bunyan itself writes every record, as a bunyan child would keep the level its parent had when it was made.
  const root = bunyan.createLogger({ name, streams: [{ type: 'raw', level: 'trace', stream }] });
  const keys = new PlainKeys(new Set([...reserved, 'error']));
  return createHardenedLogger({
    writer: mask => new BunyanRecords(root, { mask, keys, writeLine }),
    reserved,
    levels: settings.levels ?? new LogLevels({ level }, clock),
    repeats,
    clock,
    secretKeys,
    ids,
    flush: () => settings.flush(),
  });
}

interface Shared {
  readonly mask: Mask;
  readonly keys: PlainKeys;
  readonly writeLine: BunyanLoggerSettings['writeLine'];
}

class BunyanRecords implements RecordWriter {
  readonly #bunyan: bunyan;
  readonly #shared: Shared;
  readonly #lines: DirectLines;

  constructor(inner: bunyan, shared: Shared) {
    this.#bunyan = inner;
    this.#shared = shared;
    this.#lines = new DirectLines(inner.fields, shared.keys, shared.mask);
  }

  write(level: LogLevel, message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#bunyan[level](fields, message);
  }

  writeDirectly(...[level, message, facts, ids]: Parameters<NonNullable<RecordWriter['writeDirectly']>>): boolean {
    const { writeLine } = this.#shared;
    const line = writeLine === undefined ? undefined : this.#lines.lineOf(level, message, facts, ids);
    if (line === undefined) return false;
    writeLine?.(line, levelNumber(level));
    return true;
  }

  learn(...[facts, copied]: Parameters<PlainKeys['learn']>): void {
    this.#shared.keys.learn(facts, copied);
  }

  child(fields: Readonly<Record<string, unknown>>): BunyanRecords {
    return new BunyanRecords(this.#bunyan.child(fields, true), this.#shared);
  }
}
