import { defineManifest } from '@keelson/core';
import { z } from 'zod';

/** What the kernel knows of the plugin before any of its code runs. Import nothing heavy here. */
export default defineManifest({
  name: 'my-plugin',
  contract: '^0.0.0-core',
  config: z.object({
    greeting: z.string().min(1).default('hello').describe('What it says when it starts.'),
  }),
});
