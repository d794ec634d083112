import { definePlugin } from '@keelson/core';
import { z } from 'zod';
import { Cache, cacheSlot } from './cache.ts';

export default definePlugin<{ maxEntries: number }>({
  name: 'memory-cache',
  slot: 'cache',
  slots: [cacheSlot],
  provides: [Cache],
  config: z.object({ maxEntries: z.int().min(1).default(1_000).describe('How many values are kept at most.') }),
  conformance: async () => (await import('./cache-conformance.ts')).cacheConformance,
  register({ bind, clock, config }) {
    const entries = new Map<string, { readonly value: string; readonly until: number }>();
    bind(Cache).toConstantValue({
      async get(key) {
        const entry = entries.get(key);
        return entry !== undefined && clock.now() < entry.until ? entry.value : undefined;
      },
      async set(key, value, forMs) {
        entries.delete(key);
        entries.set(key, { value, until: clock.now() + forMs });
        const [oldest] = entries.keys();
        if (entries.size > config.maxEntries && oldest !== undefined) entries.delete(oldest);
      },
    });
    return { start: () => ({ inspect: () => ({ facts: { entries: entries.size } }) }) };
  },
});
