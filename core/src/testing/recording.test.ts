import { describe, expect, test } from 'vitest';
import { runWithContext } from '../contract/context.js';
import { FakeClock } from './fake-clock.js';
import { RecordingLogger } from './recording-logger.js';
import { RecordingMetrics } from './recording-metrics.js';
import { RecordingTelemetry } from './recording-telemetry.js';

describe('RecordingLogger', () => {
  test('keeps lines in order with the facts of parent and child and the current context', () => {
    const logger = new RecordingLogger();
    const child = logger.child({ plugin: 'database', attempt: 1 });
    logger.info('first');
    runWithContext({ requestId: 'r1' }, () => child.warn('second', { attempt: 2 }));
    expect(logger.lines()).toEqual([
      { level: 'info', message: 'first', facts: {}, context: {} },
      { level: 'warn', message: 'second', facts: { plugin: 'database', attempt: 2 }, context: { requestId: 'r1' } },
    ]);
  });

  test('finds a line by text, pattern and question', () => {
    const logger = new RecordingLogger();
    logger.error('connection lost', { code: 'X' });
    logger.info('connection restored');
    expect(logger.find('lost')?.level).toBe('error');
    expect(logger.find(/^connection r/)?.level).toBe('info');
    expect(logger.find(line => line.facts.code === 'X')?.message).toBe('connection lost');
    expect(logger.findAll('connection')).toHaveLength(2);
    expect(logger.find('nothing')).toBeUndefined();
  });

  test('leaves out lines below its level', () => {
    const logger = new RecordingLogger('warn');
    logger.info('hidden');
    logger.child({}).warn('shown');
    expect(logger.isEnabled('info')).toBe(false);
    expect(logger.lines().map(line => line.message)).toEqual(['shown']);
    expect(logger.lines('error')).toEqual([]);
  });

  test('survives a getter that throws', () => {
    const logger = new RecordingLogger();
    const facts = Object.defineProperty({ fine: 1 }, 'broken', {
      enumerable: true,
      get() {
        throw new Error('no');
      },
    });
    logger.info('written', facts);
    expect(logger.lines()[0]?.facts).toEqual({ fine: 1, broken: '[Throws]' });
  });
});

describe('RecordingTelemetry', () => {
  test('keeps name, attributes, status, duration, parent and trace of spans', async () => {
    const clock = new FakeClock();
    const telemetry = new RecordingTelemetry(clock);
    await telemetry.span({ name: 'outer', operation: 'job', attributes: { a: 1 } }, async span => {
      span.setAttribute('b', true);
      await telemetry.span({ name: 'inner', operation: 'db' }, () => clock.advance(5)).catch(() => {});
    });
    const [outer, inner] = telemetry.spans();
    expect(outer).toMatchObject({ name: 'outer', operation: 'job', attributes: { a: 1, b: true }, status: 'ok' });
    expect(inner).toMatchObject({ name: 'inner', durationMs: 5, traceId: outer?.traceId });
    expect(inner?.parent).toBe(outer);
  });

  test('gives a rejected span the status error, unless the work said otherwise, and passes the error on', async () => {
    const telemetry = new RecordingTelemetry();
    const error = new Error('no');
    const failing = telemetry.span({ name: 'fails', operation: 'job' }, () => Promise.reject(error));
    await expect(failing).rejects.toBe(error);
    await telemetry.span({ name: 'says', operation: 'job' }, async span => span.setStatus('error'));
    expect(telemetry.spans().map(span => span.status)).toEqual(['error', 'error']);
  });

  test('keeps each error object once, with its operation and span', async () => {
    const telemetry = new RecordingTelemetry();
    const error = new Error('no');
    await telemetry.span({ name: 'outer', operation: 'job' }, async () => {
      telemetry.captureError(error, { operation: 'work' });
      telemetry.captureError(error, { operation: 'again' });
    });
    expect(telemetry.errors()).toMatchObject([{ error, operation: 'work', span: { name: 'outer' } }]);
  });

  test('makes no span inside suppress', async () => {
    const telemetry = new RecordingTelemetry();
    await telemetry.suppress(() => telemetry.span({ name: 'ping', operation: 'db' }, async () => {}));
    expect(telemetry.spans()).toEqual([]);
  });
});

describe('RecordingMetrics', () => {
  const requests = { name: 'http.requests', description: 'Requests', unit: '{request}', labels: ['route', 'status'] };

  test('sums a counter over the series that carry the labels asked for', () => {
    const metrics = new RecordingMetrics();
    metrics.counter(requests).add(1, { route: '/a', status: '200' });
    metrics.counter(requests).add(2, { route: '/a', status: '500' });
    metrics.counter(requests).add(4, { route: '/b', status: '200' });
    expect(metrics.value('http.requests')).toBe(7);
    expect(metrics.value('http.requests', { route: '/a' })).toBe(3);
    expect(metrics.value('http.requests', { route: '/c' })).toBeUndefined();
    expect(metrics.instruments()).toEqual([requests]);
  });

  test('keeps what a histogram recorded', () => {
    const metrics = new RecordingMetrics();
    const duration = metrics.histogram({ name: 'wait', description: 'Waits', unit: 's' });
    duration.record(0.5);
    duration.record(0.1);
    expect(metrics.recorded('wait')).toEqual([0.5, 0.1]);
  });

  test('reads a gauge when asked, until it is disposed of', () => {
    const metrics = new RecordingMetrics();
    let used = 1;
    const gauge = metrics.gauge({ name: 'used', description: 'Used', unit: '{connection}' }, () => [{ value: used }]);
    used = 3;
    expect(metrics.value('used')).toBe(3);
    gauge[Symbol.dispose]();
    expect(metrics.value('used')).toBeUndefined();
  });

  test('refuses an undeclared label, a counter that goes down and a name of another kind', () => {
    const metrics = new RecordingMetrics();
    const counter = metrics.counter(requests);
    expect(() => counter.add(1, { user: '7' })).toThrow('does not declare the label user');
    expect(() => counter.add(-1)).toThrow('cannot add -1');
    expect(() => metrics.histogram({ name: 'wait', description: 'Waits', unit: 's' }).record(Number.NaN)).toThrow(
      'wait cannot record NaN',
    );
    expect(() => metrics.histogram(requests)).toThrow('kind "counter" and "histogram"');
  });
});
