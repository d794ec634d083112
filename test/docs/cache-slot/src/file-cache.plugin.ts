import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { definePlugin } from '@keelson/core';
import { z } from 'zod';
import { Cache, cacheSlot } from './cache.ts';

const entry = z.object({ value: z.string(), until: z.number() });

export default definePlugin<{ folder: string }>({
  name: 'file-cache',
  slot: 'cache',
  slots: [cacheSlot],
  provides: [Cache],
  config: z.object({ folder: z.string().default('.cache').describe('Where the files are.') }),
  conformance: async () => (await import('./cache-conformance.ts')).cacheConformance,
  register({ bind, config, directory }) {
    const folder = resolve(directory, config.folder);
    const fileOf = (key: string) => join(folder, createHash('sha256').update(key).digest('hex'));
    bind(Cache).toConstantValue({
      async get(key) {
        const text = await readFile(fileOf(key), 'utf8').catch(() => undefined);
        const found = text === undefined ? undefined : entry.parse(JSON.parse(text));
        return found !== undefined && Date.now() < found.until ? found.value : undefined;
      },
      async set(key, value, forMs) {
        await writeFile(fileOf(key), JSON.stringify({ value, until: Date.now() + forMs }));
      },
    });
    return { start: async () => void (await mkdir(folder, { recursive: true })) };
  },
});
