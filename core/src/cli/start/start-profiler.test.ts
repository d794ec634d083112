import { expect, test } from 'vitest';
import { formatProfile } from './format-profile.js';
import { StartProfiler } from './start-profiler.js';

function keepBusy(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test('the profile has the longest time in which the event loop did not turn, and what ran meanwhile', async () => {
  using profiler = new StartProfiler();
  await profiler.around({ step: 'configuration' }, async () => {});
  await profiler.around({ step: 'start', plugin: 'busy' }, async () => keepBusy(200));
  const { longestBlock } = profiler.ready();
  expect(longestBlock.ms).toBeGreaterThan(180);
  expect(longestBlock.during).toEqual(['start busy']);
});

test('a part gives what its work gave, also a failure, and is timed no longer when the service is ready', async () => {
  using profiler = new StartProfiler();
  expect(await profiler.around({ step: 'configuration' }, async () => 7)).toBe(7);
  const failing = profiler.around({ step: 'start', plugin: 'a' }, () => Promise.reject(new Error('no luck')));
  await expect(failing).rejects.toThrow('no luck');
  const { lines } = profiler.ready();
  expect(await profiler.around({ step: 'start', plugin: 'late' }, async () => 8)).toBe(8);
  expect(lines.map(({ name }) => name)).toContain('start a');
});

test('a profile is printed in 80 columns, and the rounded times still add up to the rounded whole', () => {
  const names = ['Node.js', 'configuration', `start ${'database/reporting-'.repeat(5)}`, 'start a', 'ready a'];
  const times = [30.4, 10.4, 100.4, 0.4, 0.4];
  const lines = names.map((name, index) => ({
    name,
    atMs: index,
    tookMs: times[index] ?? 0,
    addsMs: times[index] ?? 0,
  }));
  const readyAfterMs = times.reduce((sum, ms) => sum + ms, 0);
  const printed = formatProfile({ readyAfterMs, lines, longestBlock: { ms: 12.6, during: [names[2] ?? ''] } });
  const rows = printed.split('\n');
  expect(rows.filter(row => row.length > 80)).toEqual([]);
  expect(printed).toContain('…');
  expect(printed).toContain('2 steps of less than 1 ms each');
  const adds = rows.slice(4, -4).map(row => Number(row.slice(13, 20)));
  expect(adds.reduce((sum, ms) => sum + ms, 0)).toBe(142);
  expect(printed).toContain('ready after 142 ms');
});
