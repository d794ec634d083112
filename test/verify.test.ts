import { freePort } from '@keelson/test-support/free-port';
import { runKeelson } from '@keelson/test-support/run-keelson';
import { expect, test } from 'vitest';

const directory = new URL('..', import.meta.url).pathname;

test.each([
  '@keelson/logger-bunyan',
  '@keelson/retry-opossum',
  '@keelson/retry-cockatiel',
  '@keelson/health',
  '@keelson/http-client',
  '@keelson/faults',
])('keelson verify proves %s as it is configured by default', { timeout: 60_000 }, async plugin => {
  const { code, stdout } = await runKeelson(['verify', plugin], { directory });
  expect(stdout).not.toContain('FAIL');
  expect(code).toBe(0);
});

test('keelson verify proves a server that listens on the same port in every case', { timeout: 60_000 }, async () => {
  const port = `port=${await freePort()}`;
  const { code, stdout } = await runKeelson(['verify', '@keelson/http-express', '--set', port], { directory });
  expect(stdout).not.toContain('FAIL');
  expect(code).toBe(0);
});
