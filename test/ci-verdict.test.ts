import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const script = fileURLToPath(new URL('../.ci/verdict.mjs', import.meta.url));

describe('the last line of .ci/run', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keelson-verdict-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test('counts the tests that passed and failed', async () => {
    report({ passed: 12, failed: 0 });
    expect(await verdict('passed', 0)).toEqual({ last: '12 passed, 0 failed, 0 skipped', status: 0 });
    report({ passed: 12, failed: 3 });
    expect(await verdict('failed', 0)).toEqual({ last: '12 passed, 3 failed, 0 skipped', status: 1 });
  });

  test('counts the tests that were skipped, which are no failure', async () => {
    report({ passed: 12, skipped: 7 });
    expect(await verdict('passed', 0)).toEqual({ last: '12 passed, 0 failed, 7 skipped', status: 0 });
  });

  test('counts each other step that failed', async () => {
    report({ passed: 12, failed: 1 });
    expect(await verdict('failed', 2)).toEqual({ last: '12 passed, 3 failed, 0 skipped', status: 1 });
  });

  test('counts a file that could not be loaded', async () => {
    report({ passed: 12, failed: 0, files: [{ name: 'a.test.ts', status: 'failed', assertionResults: [] }] });
    expect(await verdict('failed', 0)).toEqual({ last: '12 passed, 1 failed, 0 skipped', status: 1 });
  });

  test('counts a test command that failed though no test did', async () => {
    report({ passed: 12, failed: 0 });
    expect(await verdict('failed', 0)).toEqual({ last: '12 passed, 1 failed, 0 skipped', status: 1 });
  });

  test('is a failure when the tests left no report, or half of one', async () => {
    expect(await verdict('failed', 0)).toEqual({ last: '0 passed, 1 failed, 0 skipped', status: 1 });
    writeFileSync(join(directory, 'report.json'), '{"numPassed');
    expect(await verdict('failed', 0)).toEqual({ last: '0 passed, 1 failed, 0 skipped', status: 1 });
  });

  test.runIf(process.platform === 'linux')('counts a process and a folder that were left behind', async () => {
    report({ passed: 12, failed: 0 });
    mkdirSync(join(directory, 'keelson-left'));
    const left = spawn('sleep', ['1000'], { env: { ...process.env, TMPDIR: directory } });
    await once(left, 'spawn');
    expect(await verdict('passed', 0)).toEqual({ last: '12 passed, 2 failed, 0 skipped', status: 1 });
    left.kill();
  });

  function report({ passed = 0, failed = 0, skipped = 0, files = [] as object[] }): void {
    const counts = { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped };
    const content = { ...counts, testResults: files };
    writeFileSync(join(directory, 'report.json'), JSON.stringify(content));
  }

  async function verdict(tests: 'passed' | 'failed', failedSteps: number) {
    const args = [script, join(directory, 'report.json'), tests, String(failedSteps), '0'];
    const child = spawn(process.execPath, args, { env: { ...process.env, TMPDIR: directory } });
    const [output, [status]] = await Promise.all([text(child.stdout), once(child, 'close')]);
    return { last: output.trimEnd().split('\n').at(-1), status };
  }
});
