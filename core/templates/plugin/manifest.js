import { defineManifest } from '@keelson/core';
import { z } from 'zod';

/** The manifest, which the kernel reads before it runs any code of the plugin. Import nothing heavy here. */
export default defineManifest({
  name: 'my-plugin',
  contract: '^0.0.0-core',
  config: z.object({
    greeting: z.string().min(1).default('hello').describe('What it says when it starts.'),
  }),
});
