import { equal } from 'node:assert/strict';
import type { SlotConformance } from '@keelson/core';
import { conformanceCase } from '@keelson/core/testing';
import { Cache } from './cache.ts';

/** The cases that every cache must pass. `start` starts the plugin under test in a separate kernel. */
export const cacheConformance: SlotConformance = start => {
  const harness = async () => {
    const { container, stop } = await start();
    return { cache: container.get(Cache), close: async () => void (await stop()) };
  };
  const cacheCase = (name: string, check: (cache: Cache) => Promise<void>) =>
    conformanceCase(name, harness, async ({ cache }) => {
      await check(cache);
      return 'passed';
    });
  return [
    cacheCase('has no value for an unknown key', async cache => equal(await cache.get('none'), undefined)),
    cacheCase('returns the last value of a key', async cache => {
      await cache.set('a', 'first', 60_000);
      await cache.set('a', 'second', 60_000);
      equal(await cache.get('a'), 'second');
    }),
    cacheCase('forgets a value when its time is over', async cache => {
      await cache.set('short', 'value', 0);
      equal(await cache.get('short'), undefined);
    }),
  ];
};
