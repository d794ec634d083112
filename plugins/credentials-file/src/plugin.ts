import { resolve } from 'node:path';
import { keeperPlugin } from '@keelson/core/credentials';
import { CredentialFile } from './credential-file.js';
import manifest from './manifest.js';
import type { FileOptions } from './options.js';

export default keeperPlugin<FileOptions>({
  manifest,
  source({ config, directory }) {
    const file = new CredentialFile(resolve(directory, config.path));
    return { obtain: async () => file.read(), isChanged: () => file.isChanged };
  },
});
