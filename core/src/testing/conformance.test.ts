import { describe, expect, test } from 'vitest';
import { silentLogger } from '../slots/logger.js';
import { loggerConformance } from './logger-conformance.js';
import { RecordingLogger } from './recording-logger.js';

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
