import { expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.js';
import { LogLevels } from './log-levels.js';

function levelsOf(configured: ConstructorParameters<typeof LogLevels>[0] = { level: 'info' }) {
  const clock = new FakeClock();
  return { clock, levels: new LogLevels(configured, clock) };
}

test('a level set for a time holds for all plugins, and returns by itself', async () => {
  const { clock, levels } = levelsOf();
  const database = levels.of('database');
  const before = database.lowest;
  levels.set('debug', undefined, 60_000);
  expect([levels.inForce(), levels.inForce('database')]).toEqual(['debug', 'debug']);
  expect(database.lowest).toBeLessThan(before);
  await clock.advance(59_999);
  expect(levels.inForce()).toBe('debug');
  await clock.advance(1);
  expect(levels.inForce()).toBe('info');
  expect(database.lowest).toBe(before);
  expect(clock.pending).toBe(0);
});

test('a level of one plugin is its own, before that of all and before the configured ones', () => {
  const { levels } = levelsOf({ level: 'info', levels: { http: 'error' } });
  expect(levels.inForce('http')).toBe('error');
  levels.set('warn', undefined, 1_000);
  expect([levels.inForce('http'), levels.inForce('database')]).toEqual(['warn', 'warn']);
  levels.set('trace', 'database', 1_000);
  expect([levels.inForce('http'), levels.inForce('database')]).toEqual(['warn', 'trace']);
  levels.close();
});

test('a reload changes what holds after the temporary level, and not that', async () => {
  const { clock, levels } = levelsOf();
  const threshold = levels.of('database');
  levels.set('debug', undefined, 60_000);
  levels.configure({ level: 'error', levels: { database: 'warn' } });
  expect(levels.inForce('database')).toBe('debug');
  await clock.advance(60_000);
  expect([levels.inForce(), levels.inForce('database')]).toEqual(['error', 'warn']);
  expect(threshold.lowest).toBe(3);
});

test('a later temporary level takes the place of the earlier one, with its own time', async () => {
  const { clock, levels } = levelsOf();
  levels.set('debug', undefined, 10_000);
  levels.set('trace', undefined, 60_000);
  await clock.advance(10_000);
  expect(levels.inForce()).toBe('trace');
  expect(levels.reset(undefined)).toBe(true);
  expect(levels.reset(undefined)).toBe(false);
  expect(levels.inForce()).toBe('info');
});

test('loggers of ever new plugins need no more memory', () => {
  const { levels } = levelsOf();
  for (let index = 0; index < 3_000; index++) levels.of(`plugin-${index}`);
  expect(levels.plugins).toHaveLength(1_000);
  expect(levels.of('plugin-2999')).toBe(levels.general);
});
