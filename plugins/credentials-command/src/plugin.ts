import { keeperPlugin, parseCredential } from '@keelson/core/credentials';
import manifest from './manifest.js';
import type { CommandOptions } from './options.js';
import { outputOf } from './output-of.js';

export default keeperPlugin<CommandOptions>({
  manifest,
  source: ({ config: { command, timeoutMs, refreshMs }, clock, directory }) => ({
    obtain: async signal => parseCredential(await outputOf({ command, timeoutMs, clock, directory, signal })),
    ...(refreshMs !== undefined && { refreshMs }),
  }),
});
