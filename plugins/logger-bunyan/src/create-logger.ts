import { hostname } from 'node:os';
import type { Writable } from 'node:stream';
import {
  defaultTools,
  LineWriter,
  type LoggerTools,
  type LogRecord,
  lineFormatOf,
  prettyLine,
} from '@keelson/core/logging';
import { type BunyanLogger, createBunyanLogger } from './bunyan-logger.js';
import type { LoggerBunyanOptions } from './options.js';

/** From this level of a record on, its line does not wait for others. */
const warn = 40;

/** The logger as configured, writing to `stream`, which stays the caller's. */
export function createLogger(
  options: LoggerBunyanOptions,
  service: string,
  stream: Writable,
  tools: LoggerTools = defaultTools(options),
): BunyanLogger {
  const { pretty, colour } = lineFormatOf(options.format, stream);
  const format = (record: LogRecord) => (pretty ? prettyLine(record, colour) : JSON.stringify(record));
  const name = options.name ?? service;
  const writer = new LineWriter(stream, options.maxBufferedBytes, dropped => format(droppedRecord(name, dropped)));
  const writeLine = (line: string, level: number) =>
    pretty || level >= warn ? writer.write(line) : writer.collect(line);
  return createBunyanLogger({
    name,
    level: options.level,
    levels: tools.levels,
    repeats: options.repeats,
    clock: tools.clock,
    ids: tools.ids,
    secretKeys: options.secretKeys,
    write: record => writeLine(format(record), Number(record.level)),
    ...(pretty ? {} : { writeLine }),
    flush: () => writer.flush(),
  });
}

function droppedRecord(name: string, dropped: number): LogRecord {
  return {
    name,
    hostname: hostname(),
    pid: process.pid,
    level: warn,
    msg: `${dropped} log lines dropped: the reader of the log is too slow`,
    dropped,
    time: new Date(),
    v: 0,
  };
}
