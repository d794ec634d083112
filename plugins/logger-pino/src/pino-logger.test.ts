import { KeelsonError } from '@keelson/core';
import { loggerConformance } from '@keelson/core/testing';
import { type GivenOptions, linesOnTerminal, loggerHarness, openLogger } from '@keelson/test-support/logger-under-test';
import { describe, expect, test } from 'vitest';
import { createLogger } from './create-logger.js';
import { loggerPinoOptions } from './options.js';

const maker = { schema: loggerPinoOptions, create: createLogger };
const open = (given?: GivenOptions) => openLogger(maker, given);

describe.each(['json', 'pretty'])('as a logger, in %s', format => {
  test.each(loggerConformance(() => loggerHarness(maker, { format })))('$name', async ({ run }) => {
    expect(await run()).toBe('passed');
  });
});

describe('a record', () => {
  test('has the fields of pino', async () => {
    const { logger, record } = open();
    logger.child({ plugin: 'database' }).warn('slow', { latencyMs: 7 });
    expect(await record()).toEqual({
      level: 40,
      time: expect.any(Number),
      pid: process.pid,
      hostname: expect.any(String),
      name: 'orders',
      plugin: 'database',
      latencyMs: 7,
      msg: 'slow',
    });
  });

  test('has an error with type, stack, code, hint, facts and all its causes', async () => {
    const { logger, record } = open();
    const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    const cause = new AggregateError([refused, new Error('other')], 'all addresses failed');
    const facts = { attempts: 3 };
    logger.error('down', { error: new KeelsonError({ code: 'DB_DOWN', message: 'No.', hint: 'Look.', facts, cause }) });
    expect(await record()).toMatchObject({
      err: {
        type: 'KeelsonError',
        message: 'No.',
        code: 'DB_DOWN',
        hint: 'Look.',
        facts,
        stack: expect.stringContaining('pino-logger.test'),
        cause: {
          type: 'AggregateError',
          message: 'all addresses failed',
          errors: [{ type: 'Error', code: 'ECONNREFUSED' }, { message: 'other' }],
        },
      },
    });
  });

  test('keeps facts that are named like its own fields apart, where pino would write the key twice', async () => {
    const { logger, lines, record } = open();
    logger.info('stolen', { name: 'x', level: 60, msg: 'y', pid: 1, other: 1 });
    expect(await record()).toMatchObject({
      name: 'orders',
      level: 30,
      msg: 'stolen',
      other: 1,
      facts: { name: 'x', level: 60, msg: 'y', pid: 1 },
    });
    expect(lines[0]?.match(/"level":/g)).toHaveLength(2);
  });

  test('of facts like those of a request: has them, where pino would write parts of them', async () => {
    const { logger, record } = open();
    logger.info('asked', { method: 'GET', headers: { accept: 'a' }, socket: 's', other: 1 });
    expect(await record()).toMatchObject({ method: 'GET', headers: { accept: 'a' }, other: 1, facts: { socket: 's' } });
  });
});

test('pretty is the default on a terminal alone, without colour when NO_COLOR is set', async () => {
  const lines = linesOnTerminal(maker);
  expect(lines[0]).toContain('\u001b[32mINFO');
  expect(lines[1]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}database: connected latencyMs=7$/);
});
