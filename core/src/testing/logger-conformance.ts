import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import { type ConformanceCase, casesOf } from '../contract/conformance.js';
import { runWithContext } from '../contract/context.js';
import { type Facts, KeelsonError } from '../contract/keelson-error.js';
import { type Logger, type LogLevel, logLevels } from '../contract/slots/logger.js';

/** A new logger for one case, and the means to read its lines. */
export interface LoggerHarness {
  /** Writes `fatal` at least. */
  readonly logger: Logger;
  /** What it has written, one text a line, in order; left out when it writes nowhere. */
  lines?(): readonly string[] | Promise<readonly string[]>;
  /** Makes it write `level` and above from now on; left out when that cannot be changed. */
  setLevel?(level: LogLevel): void;
  /** For a logger that sums up repeated failures: the lines that it writes in a period, and a function that ends the period. */
  readonly repeats?: { readonly lines: number; endPeriod(): Promise<void> };
  close?(): void | Promise<void>;
}

type Read = () => Promise<readonly string[]>;

/**
 * The promises of every logger, ours or another's, at any level. Lines are read as text, so that each may have a
 * format of its own.
 */
export function loggerConformance(createHarness: () => LoggerHarness | Promise<LoggerHarness>): ConformanceCase[] {
  const always = casesOf(createHarness);
  const readable = casesOf(
    createHarness,
    'lines that can be read: it writes none to the standard output',
    ({ lines }) => lines !== undefined,
  );
  const levelled = casesOf(
    createHarness,
    'a way to change the level of a running logger: pass setLevel to loggerConformance in a test',
    ({ setLevel, lines }) => setLevel !== undefined && lines !== undefined,
  );
  const repeating = casesOf(
    createHarness,
    'failures that are summed up: pass repeats to loggerConformance in a test',
    ({ repeats, lines }) => repeats !== undefined && lines !== undefined,
  );
  const plain = (name: string, check: (logger: Logger) => Promise<void>) =>
    always(name, ({ logger }) => check(audible(logger)));
  const readingAll = (name: string, check: (logger: Logger, read: Read) => Promise<void>) =>
    readable(name, harness => check(harness.logger, () => linesOf(harness)));
  const reading = (name: string, check: (logger: Logger, read: Read) => Promise<void>) =>
    readingAll(name, (logger, read) => check(audible(logger), read));

  return [
    plain('does not throw, whatever it is given', async logger => {
      for (const facts of Object.values(hostileFacts())) logger.error('hostile', facts);
      for (const facts of Object.values(hostileFacts())) logger.child(facts).error('hostile');
    }),
    plain('takes frozen facts and leaves them as they are', async logger => {
      const facts = Object.freeze({ nested: Object.freeze({ a: 1 }) });
      logger.info('frozen', facts);
      deepEqual(facts, { nested: { a: 1 } });
    }),
    plain('flushes when there is nothing to flush, and twice', async logger => {
      await logger.flush();
      logger.info('a line');
      await Promise.all([logger.flush(), logger.flush()]);
    }),
    readingAll(
      'writes one line for each call of its level, in order, with its message and facts',
      async (logger, read) => {
        for (const level of logLevels) logger[level](`message-${level}`, { fact: `fact-${level}` });
        const lines = await read();
        const enabled = logLevels.filter(level => logger.isEnabled(level));
        deepEqual(enabled, logLevels.slice(-enabled.length), 'every level above one that is written is written too');
        equal(lines.length, enabled.length, 'one line for each call of an enabled level');
        for (const [index, level] of enabled.entries()) mentions(lines[index], `message-${level}`, `fact-${level}`);
      },
    ),
    reading('writes the facts of parent, child and line; those of the line win', async (logger, read) => {
      const child = logger.child({ outer: 'from-parent' }).child({ inner: 'from-child', both: 'hidden' });
      child.info('of the child', { both: 'from-line' });
      logger.info('of the parent');
      const [first, second] = await read();
      mentions(first, 'from-parent', 'from-child', 'from-line');
      lacks(first, 'hidden');
      lacks(second, 'from-parent', 'from-child');
    }),
    reading('carries the ids of the current request', async (logger, read) => {
      const context = { requestId: 'request-1', traceId: 'trace-1', spanId: 'span-1', sessionId: 'session-1' };
      runWithContext(context, () => logger.info('inside'));
      logger.info('outside');
      const [inside, outside] = await read();
      mentions(inside, 'request-1', 'trace-1', 'span-1', 'session-1');
      lacks(outside, 'request-1');
    }),
    reading('writes a line for hostile facts too', async (logger, read) => {
      const hostile = Object.keys(hostileFacts());
      for (const [name, facts] of Object.entries(hostileFacts())) logger.info(`hostile-${name}`, facts);
      const lines = await read();
      equal(lines.length, hostile.length, 'one line for each call');
      for (const [index, name] of hostile.entries()) mentions(lines[index], `hostile-${name}`);
    }),
    reading('writes the digits of a bigint', async (logger, read) => {
      logger.info('bigint', { id: 9_007_199_254_740_993n });
      mentions((await read())[0], '9007199254740993');
    }),
    reading('writes code, message, hint and facts of an error, and its causes', async (logger, read) => {
      const root = Object.assign(new Error('root-message'), { code: 'ECONNREFUSED' });
      const middle = new AggregateError([new Error('first-of-many'), root], 'aggregate-message');
      const facts = { waited: 'fact-of-error' };
      const options = { code: 'TEST_CODE', message: 'top-message', hint: 'hint-of-error', facts, cause: middle };
      logger.error('failed', { error: new KeelsonError(options) });
      const [line] = await read();
      mentions(line, 'TEST_CODE', 'top-message', 'hint-of-error', 'fact-of-error');
      mentions(line, 'aggregate-message', 'first-of-many', 'root-message', 'ECONNREFUSED');
    }),
    reading('writes whatever was thrown', async (logger, read) => {
      logger.error('thrown', { error: 'thrown-text' });
      logger.error('thrown', { error: undefined });
      const lines = await read();
      equal(lines.length, 2);
      mentions(lines[0], 'thrown-text');
    }),
    reading('writes no secret, at any depth, nor in a message, an error or a URL', async (logger, read) => {
      logger.info('connecting to postgres://orders:hush-url@db/orders', {
        password: 'hush-key',
        nested: [
          {
            accessToken: 'hush-nested',
            headers: { Authorization: 'Bearer hush-header', 'set-cookie': ['hush-cookie'] },
          },
        ],
        error: new Error('GET https://user:hush-error@example.org failed'),
      });
      logger.child({ apiKey: 'hush-child' }).info('child');
      const lines = await read();
      equal(lines.length, 2);
      for (const line of lines) lacks(line, 'hush');
    }),
    reading('keeps its message and level when facts are named like fields of a line', async (logger, read) => {
      const facts = { name: 'a', hostname: 'b', pid: 'c', level: 'd', time: 'e', msg: 'f', message: 'g', v: 'h' };
      logger.warn('the-message', facts);
      mentions((await read())[0], 'the-message');
    }),
    reading('writes one line for one call, whatever is in the message', async (logger, read) => {
      logger.info('first\nsecond {"level":60} %s %d 100%%', { fact: 'a\nb' });
      const lines = await read();
      equal(lines.length, 1);
      mentions(lines[0], '%s %d 100%%');
    }),
    reading('cuts what is too long for a line', async (logger, read) => {
      logger.info('x'.repeat(2_000_000), {
        text: 'y'.repeat(2_000_000),
        list: Array.from({ length: 100_000 }, () => 'z'),
      });
      const [line] = await read();
      notEqual(line, undefined, 'a line was written');
      ok((line?.length ?? 0) < 100_000, `a line of ${line?.length} characters`);
    }),
    reading('writes facts that are named like the parts of a request', async (logger, read) => {
      logger.info('asked', { method: 'fact-method', headers: { accept: 'fact-header' }, socket: 'fact-socket' });
      mentions((await read())[0], 'fact-method', 'fact-header', 'fact-socket');
    }),
    reading('writes each key once in a line, however parent, child and line are called', async (logger, read) => {
      logger.child({ fact: 'outer' }).child({ fact: 'inner' }).info('message-of-line', { fact: 'from-line' });
      const [line] = await read();
      mentions(line, 'from-line');
      lacks(line, 'outer', 'inner');
    }),
    repeating('writes a failure that repeats a few times in a period, and then their number', async harness => {
      const { logger, repeats } = harness;
      const failure = (index: number) => ({ error: Object.assign(new Error(`lost ${index}`), { code: 'ECONNRESET' }) });
      for (let index = 0; index < 1_000; index++) logger.error(`request ${index} failed`, failure(index));
      const most = repeats?.lines ?? 0;
      equal((await harness.lines?.())?.length, most, 'so many at once');
      await repeats?.endPeriod();
      const lines = await linesOf(harness);
      equal(lines.length, most + 1, 'and one at the end of the period');
      mentions(lines.at(-1), 'request 999 failed', 'lost 999', String(1_000 - most));
    }),
    repeating(
      'goes on with one line in a period while the failure lasts, and writes it at once after that',
      async harness => {
        const { logger, repeats } = harness;
        const fail = () => {
          for (let index = 0; index < 50; index++) logger.warn('retrying', { code: 'ECONNRESET' });
        };
        fail();
        await repeats?.endPeriod();
        fail();
        await repeats?.endPeriod();
        const most = repeats?.lines ?? 0;
        equal((await linesOf(harness)).length, most + 2);
        await repeats?.endPeriod();
        await repeats?.endPeriod();
        logger.warn('retrying', { code: 'ECONNRESET' });
        equal((await linesOf(harness)).length, most + 3);
      },
    ),
    repeating('loses no number at a flush, and counts failures of another code or message apart', async harness => {
      const { logger, repeats } = harness;
      const most = repeats?.lines ?? 0;
      for (let index = 0; index < most + 7; index++) {
        logger.error('call failed', { error: Object.assign(new Error('lost'), { code: 'ECONNRESET' }) });
        logger.error('call failed', { error: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) });
        logger.error('answer failed', { error: Object.assign(new Error('lost'), { code: 'ECONNRESET' }) });
      }
      const lines = await linesOf(harness);
      equal(lines.length, 3 * (most + 1));
      for (const line of lines.slice(-3)) mentions(line, '7');
    }),
    repeating('sums up only lines that report a failure', async harness => {
      for (let index = 0; index < 100; index++) harness.logger.warn('slow', { latencyMs: 7 });
      for (let index = 0; index < 100; index++) harness.logger.info('served', { code: 'OK', error: new Error('news') });
      equal((await linesOf(harness)).length, 200);
    }),
    repeating('keeps few kinds of failures in memory, and loses none of their numbers', async harness => {
      const { logger, repeats } = harness;
      const most = repeats?.lines ?? 0;
      const words = Array.from(
        { length: 600 },
        (_, index) =>
          `kind-${'abcdefghij'[index % 10]}${'klmnopqrst'[Math.floor(index / 10) % 10]}${'uvwxyz'[Math.floor(index / 100)]}`,
      );
      for (const word of words) for (let index = 0; index < most + 2; index++) logger.error(word, { code: 'E' });
      const lines = await linesOf(harness);
      equal(lines.length, words.length * (most + 1));
    }),
    levelled('follows a change of its level, in its children too', async harness => {
      const child = harness.logger.child({ a: 1 });
      harness.setLevel?.('warn');
      for (const logger of [harness.logger, child]) {
        equal(logger.isEnabled('info'), false, 'info is not enabled at level warn');
        equal(logger.isEnabled('warn'), true, 'warn is enabled at level warn');
        logger.info('below');
        logger.warn('at');
      }
      equal((await linesOf(harness)).length, 2);
    }),
  ];
}

async function linesOf(harness: LoggerHarness): Promise<readonly string[]> {
  await harness.logger.flush();
  return (await harness.lines?.()) ?? [];
}

/** The same logger, writing at the next level that it has on where the one that is called is off. */
function audible(logger: Logger): Logger {
  const write = (level: LogLevel) => (message: string, facts?: Facts) => {
    const louder = logLevels.slice(logLevels.indexOf(level)).find(each => logger.isEnabled(each));
    logger[louder ?? level](message, facts);
  };
  return {
    trace: write('trace'),
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    fatal: write('fatal'),
    isEnabled: level => logger.isEnabled(level),
    child: facts => audible(logger.child(facts)),
    flush: () => logger.flush(),
  };
}

function hostileFacts(): Record<string, Facts> {
  const fail = () => {
    throw new Error('hostile');
  };
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  return {
    bigint: { id: 1n },
    cycle: cyclic,
    getter: Object.defineProperty({}, 'broken', { enumerable: true, get: fail }),
    toJSON: { broken: { toJSON: fail } },
    proxy: { broken: revoked.proxy },
    nullPrototype: Object.assign(Object.create(null), { a: 1 }),
    error: { error: new Proxy(new Error('hostile'), { get: fail }) },
    values: {
      symbol: Symbol('s'),
      call: fail,
      undefined,
      nan: Number.NaN,
      date: new Date(Number.NaN),
      map: new Map([[{}, 1]]),
    },
    deep: { deep: Array.from({ length: 10_000 }).reduce<unknown>(inner => ({ inner }), 'bottom') },
  };
}

function mentions(line: string | undefined, ...texts: readonly string[]): void {
  notEqual(line, undefined, 'a line was written');
  for (const text of texts) ok(line?.includes(text), `the line says ${text}: ${line?.slice(0, 2_000)}`);
}

function lacks(line: string | undefined, ...texts: readonly string[]): void {
  notEqual(line, undefined, 'a line was written');
  for (const text of texts) ok(!line?.includes(text), `the line does not say ${text}: ${line?.slice(0, 2_000)}`);
}
