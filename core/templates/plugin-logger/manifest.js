import { defineManifest, Logger, logLevels } from '@keelson/core';
import { z } from 'zod';

/** What the kernel knows of the plugin before any of its code runs. Import nothing heavy here. */
export default defineManifest({
  name: 'my-plugin',
  slot: 'logger',
  contract: '^0.0.0-core',
  provides: [Logger],
  config: z.object({
    level: z.enum(logLevels).default('trace').describe('The lowest level that is written.'),
  }),
});
