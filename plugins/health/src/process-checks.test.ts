import { tmpdir } from 'node:os';
import { systemClock } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import { eventually } from '@keelson/test-support/eventually';
import { expect, test } from 'vitest';
import { healthOptions } from './options.js';
import { diskResult, eventLoopResult, memoryResult, processChecks } from './process-checks.js';

const here = { clock: systemClock, directory: tmpdir() };
const signal = new AbortController().signal;
const optionsOf = (process: object) => healthOptions.parse({ process }).process;

test('the process has a check of its event loop, its memory and its disk; each can be left out', () => {
  using all = processChecks(optionsOf({}), here);
  expect(all.checks.map(({ name, critical }) => ({ name, critical }))).toEqual([
    { name: 'process-event-loop', critical: false },
    { name: 'process-memory', critical: false },
    { name: 'process-disk', critical: false },
  ]);
  using none = processChecks(optionsOf({ eventLoop: false, memory: false, disk: false }), here);
  expect(none.checks).toEqual([]);
});

test('an event loop that is blocked is late, at once and later, and the next sample knows nothing of it', async () => {
  using own = processChecks(optionsOf({ eventLoop: { maxDelayMs: 100 }, memory: false, disk: false }), here);
  const [check] = own.checks;
  const block = () => {
    const until = performance.now() + 400;
    while (performance.now() < until);
  };
  await check?.check(signal);
  block();
  expect((await check?.check(signal))?.output).toMatch(/^The event loop is \d+ ms late; the limit is 100 ms\.$/);
  // Due during the block, and after the timer of the check: when it runs, that one has run.
  const blocked = systemClock.sleep(300);
  block();
  await blocked;
  expect(await check?.check(signal)).toMatchObject({ status: 'fail' });
  await eventually(async () => (await check?.check(signal))?.status === 'pass');
});

test('no timer stays when the checks are gone', () => {
  const clock = new FakeClock();
  processChecks(optionsOf({}), { clock, directory: tmpdir() })[Symbol.dispose]();
  expect(clock.pending).toBe(0);
});

test('an event loop, a memory and a disk are judged by their limits', () => {
  expect(eventLoopResult(500, 500).status).toBe('pass');
  expect(eventLoopResult(501, 500).status).toBe('fail');
  const container = { what: 'the memory of the container', usedBytes: 95 * 1_048_576, limitBytes: 100 * 1_048_576 };
  const heap = { what: 'the heap', usedBytes: 1, limitBytes: 100 };
  expect(memoryResult([container, heap], 95)).toMatchObject({ status: 'pass' });
  expect(memoryResult([container, heap], 90)).toMatchObject({
    status: 'fail',
    output: '95 % of the memory of the container (100 MB) is in use; the limit is 90 %.',
  });
  expect(memoryResult([{ ...container, limitBytes: undefined }, heap], 90)).toMatchObject({ status: 'pass' });
  expect(diskResult(200 * 1_048_576, 100 * 1_048_576)).toMatchObject({ status: 'pass' });
  expect(diskResult(20 * 1_048_576, 100 * 1_048_576)).toMatchObject({
    status: 'fail',
    output: '20 MB are free on the disk; the limit is 100 MB.',
  });
});

test('memory and disk are measured', async () => {
  using own = processChecks(optionsOf({ eventLoop: false, disk: { minFreeBytes: 0 } }), here);
  const [memory, disk] = await Promise.all(own.checks.map(check => check.check(signal)));
  expect(memory?.facts).toMatchObject({ maxPercent: 90 });
  expect(disk).toMatchObject({ status: 'pass', facts: { freeBytes: expect.any(Number) } });
});
