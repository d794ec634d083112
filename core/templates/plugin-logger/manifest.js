import { defineManifest, Logger, logLevels } from '@keelson/core';
import { z } from 'zod';

/** The manifest, which the kernel reads before it runs any code of the plugin. Import nothing heavy here. */
export default defineManifest({
  name: 'my-plugin',
  slot: 'logger',
  contract: '^0.0.0-core',
  provides: [Logger],
  config: z.object({
    level: z.enum(logLevels).default('trace').describe('The lowest level that is written.'),
  }),
});
