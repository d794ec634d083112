import { defineSlot, type ServiceToken, serviceToken } from '@keelson/core';

/** Keeps texts for a time. A cache may forget: `get` returns undefined for what it does not have. */
export interface Cache {
  get(key: string): Promise<string | undefined>;
  /** `forMs`: how long it is kept at most, in ms. */
  set(key: string, value: string, forMs: number): Promise<void>;
}

export const Cache: ServiceToken<Cache> = serviceToken('@acme/cache/Cache');

/** Without a plugin, nothing is kept. */
export const cacheSlot = defineSlot<Cache>({
  name: 'cache',
  token: Cache,
  silentDefault: { name: 'no cache', create: () => ({ get: async () => undefined, set: async () => {} }) },
});
