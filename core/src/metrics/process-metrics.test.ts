import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { eventually } from '@keelson/test-support/eventually';
import { expect, test } from 'vitest';
import { RecordingMetrics } from '../testing/recording-metrics.js';
import { measureProcess } from './process-metrics.js';

/** Keeps the process busy for `ms`. */
function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

const value = (metrics: RecordingMetrics, name: string, labels = {}) => metrics.value(name, labels) ?? Number.NaN;

test('the process is measured: CPU, memory, the event loop, garbage and what is open', async () => {
  const metrics = new RecordingMetrics();
  using _measured = measureProcess(metrics);
  const before = value(metrics, 'process.cpu.time', { 'cpu.mode': 'user' });
  block(100);
  expect(value(metrics, 'process.cpu.time', { 'cpu.mode': 'user' }) - before).toBeGreaterThan(0.01);
  expect(value(metrics, 'process.uptime')).toBeGreaterThan(0.1);
  expect(value(metrics, 'process.memory.usage')).toBeGreaterThan(1e7);
  expect(value(metrics, 'v8js.memory.heap.used', { 'v8js.heap.space.name': 'old_space' })).toBeGreaterThan(1e5);
  expect(value(metrics, 'v8js.memory.heap.size')).toBeGreaterThan(value(metrics, 'v8js.memory.heap.used'));
  expect(value(metrics, 'v8js.memory.heap.max')).toBeGreaterThan(1e7);
  expect(value(metrics, 'nodejs.eventloop.time', { 'nodejs.eventloop.state': 'active' })).toBeGreaterThan(0.05);
  const timer = setTimeout(() => {}, 60_000);
  expect(value(metrics, 'nodejs.active_resources', { 'nodejs.resource.type': 'Timeout' })).toBeGreaterThan(0);
  clearTimeout(timer);
});

test('the delay of the event loop is that since the last collection', async () => {
  const metrics = new RecordingMetrics();
  using _measured = measureProcess(metrics);
  const late = () => value(metrics, 'nodejs.eventloop.delay.max');
  await eventually(() => value(metrics, 'nodejs.eventloop.delay.stddev') > 0, { that: 'the first samples' });
  block(200);
  await eventually(() => late() > 0.1, { that: 'the sample of the block' });
  expect(value(metrics, 'nodejs.eventloop.delay.p99')).toBeGreaterThan(0.1);
  expect(late()).toBe(0);
});

test('garbage collections are measured by type, until it ends', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage: () => void = runInNewContext('gc');
  const metrics = new RecordingMetrics();
  const measured = measureProcess(metrics);
  const majors = () => metrics.recorded('v8js.gc.duration', { 'v8js.gc.type': 'major' }).length;
  collectGarbage();
  while (majors() === 0) await setImmediate();
  measured[Symbol.dispose]();
  const ended = majors();
  collectGarbage();
  for (let turns = 0; turns < 5; turns += 1) await setImmediate();
  expect(majors()).toBe(ended);
  expect(metrics.value('process.uptime')).toBeUndefined();
});
