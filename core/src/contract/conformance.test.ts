import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { createMask } from '../secrets/create-mask.js';
import { FakeClock } from '../testing/fake-clock.js';
import { healthConformance } from '../testing/health-conformance.js';
import { httpClientConformance } from '../testing/http-client-conformance.js';
import { httpServerConformance } from '../testing/http-server-conformance.js';
import { loggerConformance } from '../testing/logger-conformance.js';
import { RecordingLogger } from '../testing/recording-logger.js';
import { RecordingTelemetry } from '../testing/recording-telemetry.js';
import { telemetryConformance } from '../testing/telemetry-conformance.js';
import { silentHealthService } from './slots/health.js';
import type { HttpClient } from './slots/http-client.js';
import { logLevels, silentLogger } from './slots/logger.js';
import { silentTelemetry } from './slots/telemetry.js';

describe('the silent logger', () => {
  test.each(loggerConformance(() => ({ logger: silentLogger })))('$name', async ({ run }) => {
    expect(['passed', 'not-applicable']).toContain(await run());
  });
});

describe('the recording logger', () => {
  test.each(loggerConformance(() => ({ logger: new RecordingLogger() })))('$name', async ({ run }) => {
    expect(['passed', 'not-applicable']).toContain(await run());
  });
});

describe.each(logLevels)('a logger at level %s', level => {
  const harness = () => {
    const logger = new RecordingLogger(level);
    const copy = createMask({ secretKeys: ['apiKey'] });
    const lines = () => logger.lines().map(line => JSON.stringify(copy(line)));
    return { logger, lines };
  };
  test.each(loggerConformance(harness))('$name', async ({ needs, run }) => {
    const outcome = await run();
    expect(outcome).toBe(/^(a way|failures)/.test(needs ?? '') ? 'not-applicable' : 'passed');
  });
});

test('a case fails on a logger that breaks the promise', async () => {
  const deaf = loggerConformance(() => ({ logger: silentLogger, lines: () => [] }));
  const outcomes = await Promise.allSettled(deaf.map(({ run }) => run()));
  expect(outcomes.filter(outcome => outcome.status === 'rejected').length).toBeGreaterThanOrEqual(10);
});

describe('the silent telemetry', () => {
  test.each(telemetryConformance(() => ({ telemetry: silentTelemetry })))('$name', async ({ run }) => {
    expect(['passed', 'not-applicable']).toContain(await run());
  });
});

describe('the recording telemetry', () => {
  const harness = () => {
    const telemetry = new RecordingTelemetry();
    const spans = () =>
      telemetry.spans().map(span => ({
        ...span,
        parent: span.parent?.name,
        parentId: span.parent?.spanId ?? span.remoteParentId,
      }));
    return { telemetry, spans };
  };
  test.each(telemetryConformance(harness))('$name', async ({ run }) => {
    expect(['passed', 'not-applicable']).toContain(await run());
  });
});

test('a case fails on telemetry that breaks the promise', async () => {
  const deaf = telemetryConformance(() => ({ telemetry: silentTelemetry, spans: () => [], errors: () => [] }));
  const outcomes = await Promise.allSettled(deaf.map(({ run }) => run()));
  expect(outcomes.filter(outcome => outcome.status === 'rejected').length).toBeGreaterThanOrEqual(9);
});

describe('the suite of health services', () => {
  test('fails on one that looks at nothing', async () => {
    const blind = healthConformance(() => ({
      health: silentHealthService,
      clock: new FakeClock(),
      stop: async () => {},
    }));
    const outcomes = await Promise.allSettled(blind.map(({ run }) => run()));
    expect(outcomes.filter(outcome => outcome.status === 'rejected').length).toBeGreaterThanOrEqual(8);
  });
});

describe('the suite of HTTP servers', () => {
  test('fails on one that answers everything alike', async () => {
    const server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const cases = httpServerConformance(() => ({
      http: { url, router() {}, use() {}, session() {} },
      stop: async () => {},
    }));
    const outcomes = await Promise.allSettled(cases.map(({ run }) => run()));
    server.close();
    expect(outcomes.filter(outcome => outcome.status === 'rejected').length).toBe(cases.length - 1);
  });
});

test('the suite of HTTP clients fails on a bare fetch, which knows no deadline', async () => {
  const client: HttpClient = { fetch: (input, options) => fetch(input, options), target: () => undefined };
  const cases = httpClientConformance(() => ({ client }));
  const outcomes = await Promise.allSettled(cases.map(({ run }) => run()));
  const failed = cases.filter((_, index) => outcomes[index]?.status === 'rejected').map(({ name }) => name);
  expect(failed).toEqual([
    'ends at the deadline with an error of its own, and leaves no request behind',
    'sends nothing for a deadline that has passed',
  ]);
  expect(outcomes).toContainEqual({ status: 'fulfilled', value: 'not-applicable' });
});
