import { KeelsonError } from '@keelson/core';
import { loggerConformance } from '@keelson/core/testing';
import { type GivenOptions, linesOnTerminal, loggerHarness, openLogger } from '@keelson/test-support/logger-under-test';
import { describe, expect, test } from 'vitest';
import { createLogger } from './create-logger.js';
import { loggerBunyanOptions } from './options.js';

const maker = { schema: loggerBunyanOptions, create: createLogger };
const open = (given?: GivenOptions) => openLogger(maker, given);

describe.each(['json', 'pretty'])('as a logger, in %s', format => {
  test.each(loggerConformance(() => loggerHarness(maker, { format })))('$name', async ({ run }) => {
    expect(await run()).toBe('passed');
  });
});

describe('a record', () => {
  test('has the fields of bunyan', async () => {
    const { logger, record } = open();
    logger.warn('slow', { latencyMs: 7 });
    expect(await record()).toEqual({
      name: 'orders',
      hostname: expect.any(String),
      pid: process.pid,
      level: 40,
      msg: 'slow',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      v: 0,
      latencyMs: 7,
    });
  });

  test('BigInt in a record: is written, where bunyan would throw', async () => {
    const { logger, record } = open();
    logger.info('order', { id: 12n });
    expect(await record()).toMatchObject({ id: '12' });
  });

  test('error.cause: the whole chain is written, where bunyan stops at the first', async () => {
    const { logger, record } = open();
    const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    const cause = new AggregateError([refused, new Error('other')], 'all addresses failed');
    const facts = { attempts: 3 };
    logger.error('down', { error: new KeelsonError({ code: 'DB_DOWN', message: 'No.', hint: 'Look.', facts, cause }) });
    expect(await record()).toMatchObject({
      err: {
        code: 'DB_DOWN',
        hint: 'Look.',
        facts,
        stack: expect.stringContaining('bunyan-logger.test'),
        cause: { message: 'all addresses failed', errors: [{ code: 'ECONNREFUSED' }, { message: 'other' }] },
      },
    });
  });

  test('facts named like its own fields: are kept apart, where bunyan would let them overwrite level and name', async () => {
    const { logger, record } = open();
    logger.info('stolen', { name: 'x', level: 60, msg: 'y', other: 1 });
    expect(await record()).toMatchObject({
      name: 'orders',
      level: 30,
      msg: 'stolen',
      other: 1,
      facts: { name: 'x', level: 60, msg: 'y' },
    });
  });

  test('a level changed while running: reaches children made before, where bunyan copies it', async () => {
    const { logger, lines } = open({ level: 'info' });
    const child = logger.child({ plugin: 'database' });
    child.debug('hidden');
    logger.level = 'debug';
    child.debug('shown');
    await logger.flush();
    expect(child.level).toBe('debug');
    expect(lines.map(line => JSON.parse(line).msg)).toEqual(['shown']);
  });

  test('secret keys of the configuration are masked beside the usual ones', async () => {
    const { logger, record } = open({ secretKeys: ['iban'] });
    logger.info('paid', { customer: { iban: 'hush', password: 'hush', city: 'Bern' } });
    expect(await record()).toMatchObject({ customer: { iban: '[masked]', password: '[masked]', city: 'Bern' } });
  });
});

describe('a pretty line', () => {
  test('is time, level, plugin, message and facts', async () => {
    const { logger, lines } = open({ format: 'pretty' });
    logger.child({ plugin: 'database' }).warn('slow query', { latencyMs: 7, table: 'order lines' });
    await logger.flush();
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}database: slow query latencyMs=7 table="order lines"$/);
  });

  test('sums up an error with its causes, and has hint and stack below when it matters', async () => {
    const { logger, lines } = open({ format: 'pretty' });
    const error = new KeelsonError({ code: 'DB_DOWN', message: 'No.', hint: 'Look.', cause: new Error('refused') });
    logger.warn('again', { error });
    logger.error('given up', { error });
    await logger.flush();
    expect(lines[0]).toMatch(/WARN {2}again err="DB_DOWN No. <- refused"$/);
    expect(lines[1]).toMatch(
      /ERROR given up err="DB_DOWN No. <- refused"\n {4}hint: Look.\n {4}KeelsonError: No.\n {4}at /,
    );
  });

  test('lets no value forge a line or move the cursor', async () => {
    const { logger, lines } = open({ format: 'pretty' });
    logger.info('a\nb\u001b[2J', { text: '\r\u2028' });
    await logger.flush();
    expect(lines[0]).toMatch(/a\\u000ab\\u001b\[2J text="\\r\\u2028"$/);
  });

  test('is the default on a terminal alone, without colour when NO_COLOR is set', async () => {
    const lines = linesOnTerminal(maker);
    expect(lines[0]).toContain('\u001b[32mINFO');
    expect(lines[1]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}database: connected latencyMs=7$/);
  });
});
