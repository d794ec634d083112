import { describe, expect, test } from 'vitest';
import { silentLogger } from '../slots/logger.js';
import { silentTelemetry } from '../slots/telemetry.js';
import { loggerConformance } from './logger-conformance.js';
import { RecordingLogger } from './recording-logger.js';
import { RecordingTelemetry } from './recording-telemetry.js';
import { telemetryConformance } from './telemetry-conformance.js';

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
    const spans = () => telemetry.spans().map(span => ({ ...span, parent: span.parent?.name }));
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
