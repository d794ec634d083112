import { describe, expect, onTestFinished, test } from 'vitest';
import { Logger, silentLogger } from '../contract/slots/logger.js';
import { Telemetry } from '../contract/slots/telemetry.js';
import { FakeClock } from '../testing/fake-clock.js';
import { RecordingLogger } from '../testing/recording-logger.js';
import { Book, bindBook, startKernel, telling } from './start.fixture.js';

describe('a stop', () => {
  test('first fails readiness, keeps serving for the notice, then drains', async () => {
    const clock = new FakeClock();
    const log: string[] = [];
    const logger = new RecordingLogger();
    const kernel = await startKernel({
      clock,
      overrides: { shutdown: { noticeMs: 5_000 } },
      plugins: {
        logger: {
          name: 'logger',
          slot: 'logger',
          provides: [Logger],
          register: ({ bind }) => void bind(Logger).toConstantValue(logger),
        },
        a: telling(log, 'a', { register: () => {}, start: () => {}, ready: () => {} }),
      },
    });
    kernel.lifecycle.onPhase(phase => log.push(phase));
    kernel.lifecycle.stopping.addEventListener('abort', () => log.push('aborted'));
    const stopped = kernel.stop('deploy');
    await clock.advance(4_999);
    expect(log).toEqual(['aborted', 'stopping']);
    expect(logger.findAll('service stop started')).toMatchObject([{ facts: { reason: 'deploy', noticeMs: 5_000 } }]);
    await clock.advance(1);
    const report = await stopped;
    expect(log).toEqual(['aborted', 'stopping', 'a.drain', 'a.stop', 'stopped']);
    expect(report).toMatchObject({ reason: 'deploy', outcome: 'clean', phases: { noticeMs: 5_000 } });
  });

  test('twice is once', async () => {
    const log: string[] = [];
    const kernel = await startKernel({ plugins: { a: telling(log, 'a') } });
    const [first, second] = await Promise.all([kernel.stop(), kernel.stop()]);
    expect(first).toBe(second);
    expect(await kernel.stop()).toBe(first);
    expect(log.filter(line => line === 'a.stop')).toHaveLength(1);
  });

  test('that fails in one plugin goes on with the others, and says so', async () => {
    const log: string[] = [];
    const kernel = await startKernel({
      plugins: {
        book: telling(log, 'book', { provides: [Book], register: bindBook }),
        orders: telling(log, 'orders', {
          requires: [Book],
          drain: () => Promise.reject(new Error('cannot drain')),
          stop: () => Promise.reject(new Error('cannot stop')),
        }),
      },
    });
    const report = await kernel.stop();
    expect(report.outcome).toBe('failed');
    expect(report.plugins.find(plugin => plugin.key === 'orders')?.errors).toHaveLength(2);
    expect(log).toContain('book.stop');
  });

  test('that hangs in one plugin is given up after its time, inside one budget', async () => {
    const clock = new FakeClock();
    const log: string[] = [];
    const kernel = await startKernel({
      clock,
      overrides: { shutdown: { budgetMs: 10_000, flushMs: 1_000, drainMs: 4_000 } },
      plugins: {
        book: telling(log, 'book', { provides: [Book], register: bindBook }),
        orders: telling(log, 'orders', {
          requires: [Book],
          stopTimeoutMs: 60_000,
          drain: () => new Promise(() => {}),
          stop: () => new Promise(() => {}),
        }),
      },
    });
    const stopped = kernel.stop();
    await clock.advance(11_000);
    const report = await stopped;
    expect(report.outcome).toBe('budget-exceeded');
    expect(report.durationMs).toBeLessThanOrEqual(10_000);
    expect(report.plugins.find(plugin => plugin.key === 'orders')?.errors).toMatchObject([
      { code: 'KERNEL_STOP_TIMEOUT', facts: { hook: 'drain' } },
      { code: 'KERNEL_STOP_TIMEOUT', facts: { hook: 'stop' } },
    ]);
    expect(log).toContain('book.stop');
  });

  test('flushes telemetry and logs after the others have stopped, and stops those two last', async () => {
    const log: string[] = [];
    const flush = async () => log.push('flush telemetry') > 0;
    const kernel = await startKernel({
      plugins: {
        logger: telling(log, 'logger', {
          slot: 'logger',
          provides: [Logger],
          register: ({ bind }) =>
            void bind(Logger).toConstantValue({ ...silentLogger, flush: async () => void log.push('flush logger') }),
        }),
        telemetry: telling(log, 'telemetry', {
          slot: 'telemetry',
          provides: [Telemetry],
          register: ({ bind }) => void bind(Telemetry).toConstantValue({ flush } as unknown as Telemetry),
        }),
        orders: telling(log, 'orders'),
      },
    });
    log.length = 0;
    await kernel.stop();
    expect(log.filter(line => !line.endsWith('drain'))).toEqual([
      'orders.stop',
      'flush telemetry',
      'flush logger',
      'telemetry.stop',
      'logger.stop',
    ]);
  });

  test('keeps what the logger needs until the logger has stopped', async () => {
    const log: string[] = [];
    const kernel = await startKernel({
      plugins: {
        disk: telling(log, 'disk', { provides: [Book], register: bindBook }),
        logger: telling(log, 'logger', {
          slot: 'logger',
          provides: [Logger],
          requires: [Book],
          register: ({ bind }) =>
            void bind(Logger).toConstantValue({ ...silentLogger, flush: async () => void log.push('flush') }),
        }),
      },
    });
    log.length = 0;
    await kernel.stop();
    expect(log.filter(line => !line.endsWith('drain'))).toEqual(['flush', 'logger.stop', 'disk.stop']);
  });

  test('runs when the kernel goes out of scope', async () => {
    const log: string[] = [];
    {
      await using kernel = await startKernel({ plugins: { a: telling(log, 'a') } });
      expect(kernel.lifecycle.phase).toBe('ready');
    }
    expect(log).toContain('a.stop');
  });

  test('leaves no timer behind', async () => {
    const clock = new FakeClock();
    const kernel = await startKernel({ clock, plugins: { a: telling([], 'a') } });
    await kernel.stop();
    expect(clock.pending).toBe(0);
  });
});

test('a lifecycle listener that throws or was removed does not keep others from being called', async () => {
  const kernel = await startKernel({ plugins: {} });
  const told: string[] = [];
  onTestFinished(() => void kernel.stop());
  kernel.lifecycle.onPhase(() => {
    throw new Error('listener');
  });
  const gone = kernel.lifecycle.onPhase(phase => told.push(`gone ${phase}`));
  kernel.lifecycle.onPhase(phase => told.push(phase));
  gone[Symbol.dispose]();
  await kernel.stop();
  expect(told).toEqual(['stopping', 'stopped']);
});
