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
import type { LoggerPinoOptions } from './options.js';
import { createPinoLogger, type PinoLogger } from './pino-logger.js';

/** From this level of a record on, its line does not wait for others. */
const warn = 40;

/** The logger as configured, writing to `stream`, which stays the caller's. */
export function createLogger(
  options: LoggerPinoOptions,
  service: string,
  stream: Writable,
  tools: LoggerTools = defaultTools(options),
): PinoLogger {
  const { pretty, colour } = lineFormatOf(options.format, stream);
  const format = (line: string) => (pretty ? prettyLine(JSON.parse(line) as LogRecord, colour) : line);
  const name = options.name ?? service;
  const writer = new LineWriter(stream, options.maxBufferedBytes, dropped => format(droppedLine(name, dropped)));
  return createPinoLogger({
    name,
    ...tools,
    repeats: options.repeats,
    secretKeys: options.secretKeys,
    writeLine(line, level) {
      if (pretty || level >= warn) writer.write(format(line));
      else writer.collect(line);
    },
    flush: () => writer.flush(),
  });
}

function droppedLine(name: string, dropped: number): string {
  return JSON.stringify({
    level: warn,
    time: Date.now(),
    pid: process.pid,
    hostname: hostname(),
    name,
    dropped,
    msg: `${dropped} log lines dropped: the reader of the log is too slow`,
  });
}
