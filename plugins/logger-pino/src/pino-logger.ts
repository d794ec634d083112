import type { Clock, CorrelationContext, LogLevel } from '@keelson/core';
import {
  createHardenedLogger,
  type LeveledLogger,
  type LogLevels,
  type RecordWriter,
  type RepeatOptions,
} from '@keelson/core/logging';
import { pino } from 'pino';

/** A logger whose level can be changed while it runs, for itself and all its children. */
export type PinoLogger = LeveledLogger;

export interface PinoLoggerSettings {
  /** The `name` of every record. */
  readonly name: string;
  readonly levels: LogLevels;
  readonly repeats: RepeatOptions | false;
  readonly clock: Clock;
  readonly ids?: (() => CorrelationContext) | undefined;
  /** Beyond the usual ones. */
  readonly secretKeys: readonly string[];
  /** Receives a finished line, with its secrets masked. */
  writeLine(line: string, level: number): void;
  flush(): Promise<void>;
}

type Fields = Readonly<Record<string, unknown>>;

/** Fields of the record itself: pino would write them a second time. */
const reserved = new Set(['name', 'hostname', 'pid', 'level', 'time', 'msg', '__proto__']);

export function createPinoLogger(settings: PinoLoggerSettings): PinoLogger {
  const { name, levels, repeats, clock, ids, secretKeys } = settings;
  const root = pino(
    // pino itself writes every record: a child would keep the level its parent had when it was made. Errors arrive described.
    { name, level: 'trace', serializers: { err: (error: unknown) => error } },
    new LineTarget((line, level) => settings.writeLine(line, level)),
  );
  return createHardenedLogger({
    writer: () => new PinoRecords(root, {}),
    reserved,
    levels,
    repeats,
    clock,
    secretKeys,
    ids,
    flush: () => settings.flush(),
  });
}

const needsMetadata: unique symbol = Symbol.for('pino.metadata');

/** What pino writes to: by this symbol, pino sets the level of a line before it writes it. */
class LineTarget {
  readonly [needsMetadata] = true;
  lastLevel = 0;
  readonly #writeLine: PinoLoggerSettings['writeLine'];

  constructor(writeLine: PinoLoggerSettings['writeLine']) {
    this.#writeLine = writeLine;
  }

  write(line: string): void {
    this.#writeLine(line.slice(0, -1), this.lastLevel);
  }
}

/** Keeps the fields of children itself: pino would write a key twice that parent and child, or child and line, both have. */
class PinoRecords implements RecordWriter {
  readonly #pino: pino.Logger;
  readonly #fields: Fields;

  constructor(inner: pino.Logger, fields: Fields) {
    this.#pino = inner;
    this.#fields = fields;
  }

  write(level: LogLevel, message: string, fields: Fields): void {
    this.#pino[level](noRequest(withType({ ...this.#fields, ...fields })), message);
  }

  child(fields: Fields): PinoRecords {
    return new PinoRecords(this.#pino, { ...this.#fields, ...fields });
  }
}

/** pino would take facts of these three names for a request of Node, and write a few of its parts in their place. */
function noRequest(fields: Fields): Fields {
  const { method, headers, socket, ...others } = fields;
  if (method === undefined || headers === undefined || socket === undefined) return fields;
  const facts = typeof fields.facts === 'object' ? fields.facts : {};
  return { ...others, method, headers, facts: { ...facts, socket } };
}

/** The class of an error is its `type` in pino, and its `name` in core. */
function withType(fields: Fields): Fields {
  return isRecord(fields.err) ? { ...fields, err: typed(fields.err) } : fields;
}

function typed({ name, cause, errors, ...others }: Fields): Fields {
  return {
    ...(name !== undefined && { type: name }),
    ...others,
    ...(cause !== undefined && { cause: isRecord(cause) ? typed(cause) : cause }),
    ...(errors !== undefined && {
      errors: Array.isArray(errors) ? errors.map(each => (isRecord(each) ? typed(each) : each)) : errors,
    }),
  };
}

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
