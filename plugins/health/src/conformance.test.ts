import { verifyPlugin } from '@keelson/core/testing';
import { expect, test } from 'vitest';
import plugin from './index.js';
import manifest from './manifest.js';

test.each(verifyPlugin(plugin, { manifest }))('the health plugin: $name', async ({ run }) => {
  expect(await run()).toBe('passed');
});
