import { HttpClient, systemClock } from '@keelson/core';
import { createTestKernel, httpClientConformance, verifyPlugin } from '@keelson/core/testing';
import { describe, expect, test } from 'vitest';
import plugin from './index.js';
import manifest from './manifest.js';

describe('as a plugin', () => {
  test.each(verifyPlugin(plugin, { manifest }))('$name', async ({ run }) => void (await run()));
});

describe('with a target', () => {
  const cases = httpClientConformance(async baseUrl => {
    const values = { 'http-client': { targets: { suite: { baseUrl } } } };
    const { container, kernel } = await createTestKernel({ plugins: [plugin], values, clock: systemClock });
    const client = container.get(HttpClient);
    const target = client.target('suite');
    return { client, ...(target !== undefined && { target }), close: () => void kernel.stop() };
  });
  test.each(cases)('$name', async ({ run }) => expect(await run()).toBe('passed'));
});
