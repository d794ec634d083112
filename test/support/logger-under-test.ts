import { Writable } from 'node:stream';
import type { Logger } from '@keelson/core';
import { type LeveledLogger, type LoggerTools, LogLevels } from '@keelson/core/logging';
import type { CommonLoggerOptions } from '@keelson/core/logging/options';
import { FakeClock, type LoggerHarness } from '@keelson/core/testing';
import { vi } from 'vitest';

/** A logger as its plugin makes it. */
export interface LoggerMaker<Options, Made> {
  readonly schema: { parse(given: object): Options };
  create(options: Options, service: string, stream: Writable, tools?: LoggerTools): Made;
}

export interface GivenOptions {
  readonly format?: string;
  readonly [option: string]: unknown;
}

/** Opens a logger of the service `orders` at `trace`, whose lines the test reads. */
export function openLogger<Options extends CommonLoggerOptions, Made extends Logger>(
  maker: LoggerMaker<Options, Made>,
  given: GivenOptions = {},
) {
  const { stream, lines } = recordedLines(given.format === 'pretty' ? /\n(?! {4})/ : '\n');
  const options = maker.schema.parse({ level: 'trace', ...given });
  const clock = new FakeClock();
  const logger = maker.create(options, 'orders', stream, { clock, levels: new LogLevels(options, clock) });
  const record = async () => {
    await logger.flush();
    return JSON.parse(lines.at(-1) ?? '{}');
  };
  return { logger, lines, record, clock };
}

export function loggerHarness<Options extends CommonLoggerOptions, Made extends LeveledLogger>(
  maker: LoggerMaker<Options, Made>,
  given: GivenOptions,
): LoggerHarness {
  const { logger, lines, clock } = openLogger(maker, given);
  return {
    logger,
    lines: () => lines,
    setLevel: level => {
      logger.level = level;
    },
    repeats: { lines: 10, endPeriod: () => clock.advance(10_000) },
  };
}

/** What a logger without options writes to a terminal: with colour, then where NO_COLOR is set. */
export function linesOnTerminal<Options, Made extends Logger>({ schema, create }: LoggerMaker<Options, Made>) {
  const { stream, lines } = recordedLines('\n');
  const terminal = Object.assign(stream, { isTTY: true });
  for (const noColor of ['', '1']) {
    vi.stubEnv('NO_COLOR', noColor);
    create(schema.parse({}), 'orders', terminal).child({ plugin: 'database' }).info('connected', { latencyMs: 7 });
  }
  vi.unstubAllEnvs();
  return lines;
}

function recordedLines(separator: string | RegExp) {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(...String(chunk).trimEnd().split(separator));
      done();
    },
  });
  return { stream, lines };
}
