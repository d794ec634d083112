import { verifyPlugin } from '@keelson/core/testing';
import { expect, test } from 'vitest';
import plugin from './index.js';
import manifest from './manifest.js';

const values = { port: 0, host: '127.0.0.1' };

test.each(verifyPlugin(plugin, { manifest, values }))('the server on fastify: $name', async ({ run }) => {
  expect(await run()).toBe('passed');
});
