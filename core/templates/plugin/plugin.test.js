import { test } from 'node:test';
import { verifyPlugin } from '@keelson/core/testing';
import plugin from './index.js';
import manifest from './manifest.js';

for (const { name, run } of verifyPlugin(plugin, { manifest })) test(name, async () => void (await run()));
