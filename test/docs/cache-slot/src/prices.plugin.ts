import { definePlugin } from '@keelson/core';
import { Cache, cacheSlot } from './cache.ts';

export default definePlugin({
  name: 'prices',
  slots: [cacheSlot],
  requires: [Cache],
  async start({ container, logger }) {
    const cache = container.get(Cache);
    const known = await cache.get('price of a cup');
    logger.info('price', { known: known !== undefined });
    if (known === undefined) await cache.set('price of a cup', '250', 60_000);
  },
});
