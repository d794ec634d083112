import { contractVersion } from '../../contract/contract-version.js';
import { KeelsonError } from '../../contract/keelson-error.js';

/** The files of a new plugin, by their names. */
export function pluginTemplate(name: string, slot: string | undefined): Record<string, string> {
  if (slot !== undefined && slot !== 'logger') throw noTemplate(slot);
  return {
    'package.json': packageJson(name),
    'manifest.js': slot === 'logger' ? loggerManifest(name) : manifest(name),
    'index.js': slot === 'logger' ? loggerPlugin : plugin,
    'plugin.test.js': test,
    'README.md': readme(name, slot),
  };
}

function packageJson(name: string): string {
  const contents = {
    name: `keelson-${name}`,
    version: '0.1.0',
    type: 'module',
    license: 'MIT',
    exports: { '.': './index.js', './manifest': './manifest.js', './package.json': './package.json' },
    files: ['index.js', 'manifest.js'],
    scripts: { test: 'node --test' },
    peerDependencies: { '@keelson/core': `^${contractVersion}`, zod: '^4.0.0' },
    keywords: ['keelson-plugin'],
  };
  return `${JSON.stringify(contents, undefined, 2)}\n`;
}

function manifest(name: string): string {
  return `import { defineManifest } from '@keelson/core';
import { z } from 'zod';

/** What the kernel knows of the plugin before any of its code runs. Import nothing heavy here. */
export default defineManifest({
  name: '${name}',
  contract: '^${contractVersion}',
  config: z.object({
    greeting: z.string().min(1).default('hello').describe('What it says when it starts.'),
  }),
});
`;
}

const plugin = `import { definePlugin } from '@keelson/core';
import manifest from './manifest.js';

export default definePlugin({
  ...manifest,
  start({ config, logger }) {
    logger.info(config.greeting);
  },
  stop({ logger }) {
    logger.info('goodbye');
  },
});
`;

function loggerManifest(name: string): string {
  return `import { defineManifest, Logger, logLevels } from '@keelson/core';
import { z } from 'zod';

/** What the kernel knows of the plugin before any of its code runs. Import nothing heavy here. */
export default defineManifest({
  name: '${name}',
  slot: 'logger',
  contract: '^${contractVersion}',
  provides: [Logger],
  config: z.object({
    level: z.enum(logLevels).default('trace').describe('The lowest level that is written.'),
  }),
});
`;
}

const loggerPlugin = `import { createSafeCopy, currentContext, definePlugin, Logger, logLevels } from '@keelson/core';
import manifest from './manifest.js';

/** Copies facts so that nothing in them can throw, leak a secret or go on for ever. */
const safe = createSafeCopy();

function createLogger(level, facts = {}) {
  const lowest = logLevels.indexOf(level);
  const isEnabled = asked => logLevels.indexOf(asked) >= lowest;
  const write = asked => (message, more) => {
    if (!isEnabled(asked)) return;
    const copied = safe({ ...currentContext(), ...facts, ...spread(more) });
    const line = { ...copied, time: new Date().toISOString(), level: asked, message: safe(message) };
    process.stdout.write(\`\${JSON.stringify(line)}\\n\`);
  };
  return {
    ...Object.fromEntries(logLevels.map(each => [each, write(each)])),
    isEnabled,
    child: more => createLogger(level, { ...facts, ...spread(more) }),
    flush: () => new Promise(resolve => process.stdout.write('', () => resolve())),
  };
}

/** A copy of facts that may hold a getter that throws. */
function spread(facts) {
  try {
    return { ...facts };
  } catch {
    return safe(facts);
  }
}

export default definePlugin({
  ...manifest,
  register({ bind, config }) {
    bind(Logger).toConstantValue(createLogger(config.level));
  },
});
`;

const test = `import { test } from 'node:test';
import { verifyPlugin } from '@keelson/core/testing';
import manifest from './manifest.js';
import plugin from './index.js';

for (const { name, run } of verifyPlugin(plugin, { manifest })) test(name, async () => void (await run()));
`;

function readme(name: string, slot: string | undefined): string {
  return `# keelson-${name}

A Keelson plugin${slot === undefined ? '' : ` for the slot \`${slot}\``}.

\`\`\`yaml
plugins:
  ${slot ?? name}: { use: "keelson-${name}" }
\`\`\`

\`keelson explain ${slot ?? name}\` lists its options. \`npm test\` proves that it keeps the contract of ${slot === undefined ? 'a plugin' : 'its slot'}.
`;
}

function noTemplate(slot: string): KeelsonError {
  return new KeelsonError({
    code: 'CLI_NAME_INVALID',
    message: `There is no template for the slot ${slot}.`,
    hint: 'Take --slot logger, or leave --slot out and add `slot` and `provides` to the manifest.',
  });
}
