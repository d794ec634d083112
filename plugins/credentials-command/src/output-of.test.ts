import { readdirSync, readFileSync } from 'node:fs';
import { type KeelsonError, systemClock } from '@keelson/core';
import { eventually } from '@keelson/test-support/eventually';
import { expect, test } from 'vitest';
import { type CommandRun, outputOf } from './output-of.js';

const run = (command: readonly string[], more: Partial<CommandRun> = {}) =>
  outputOf({
    command,
    timeoutMs: 10_000,
    clock: systemClock,
    directory: '.',
    signal: new AbortController().signal,
    ...more,
  });
const node = (script: string, ...args: string[]) => [process.execPath, '-e', script, ...args];
const failureOf = (running: Promise<unknown>): Promise<KeelsonError> =>
  running.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: KeelsonError) => error,
  );

test('resolves to what the command prints; no shell reads its arguments', async () => {
  const args = ['$HOME', '*', '; exit 3', 'a b'];
  const printed = await run(node('console.log(JSON.stringify(process.argv.slice(1)))', '--', ...args));
  expect(JSON.parse(printed)).toEqual(args);
});

test('ends with the whole output, also of one that prints in parts', async () => {
  const script = "process.stdout.write('one'); setTimeout(() => process.stdout.write('two'), 20)";
  expect(await run(node(script))).toBe('onetwo');
});

test.each([
  ['ends with another code than 0', node("console.error('hunter2'); process.exit(3)"), { exitCode: 3, stderrBytes: 8 }],
  ['is ended by a signal', node("process.kill(process.pid, 'SIGTERM')"), { signal: 'SIGTERM' }],
  ['does not exist', ['/nowhere/print-password'], { systemCode: 'ENOENT' }],
  ['may not be run', [import.meta.filename], { systemCode: 'EACCES' }],
  ['prints too much', node("process.stdout.write('hunter2'.repeat(20000))"), {}],
])('a command that %s is an error, which shows nothing of its output', async (_, command, facts) => {
  const error = await failureOf(run(command));
  expect(error).toMatchObject({ code: 'CREDENTIALS_COMMAND_FAILED', facts: { program: command[0], ...facts } });
  expect(error.message).toMatch(/^The command that prints the credential .*\.$/);
  expect(JSON.stringify([error, error.message, error.facts])).not.toContain('hunter2');
});

test('a command that takes too long is ended, with the processes that it has started', async () => {
  const mark = `keelson-slow-${process.pid}`;
  const script = `require('node:child_process').spawnSync(process.execPath, ['-e', 'setTimeout(() => {}, 60000)', '${mark}'])`;
  const running = run(node(script, mark), { timeoutMs: 600 });
  await eventually(() => marked(mark).length === 2);
  const error = await failureOf(running);
  expect(error).toMatchObject({ facts: { timeoutMs: 600 } });
  expect(error.message).toContain('did not end within 600 ms');
  await eventually(() => marked(mark).length === 0);
});

test('a stop of the service ends it', async () => {
  const stopping = new AbortController();
  const running = run(node('setTimeout(() => {}, 60000)'), { signal: stopping.signal });
  const reason = new Error('stopping');
  stopping.abort(reason);
  await expect(running).rejects.toBe(reason);
});

/** The processes that have `mark` among their arguments. */
function marked(mark: string): string[] {
  return readdirSync('/proc').filter(pid => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(mark);
    } catch {
      return false;
    }
  });
}
