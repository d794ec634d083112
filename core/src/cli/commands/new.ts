import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { defineCommand, exitCodes, printJson, refuse } from '../command.js';
import { writeOutput } from '../output/write-output.js';
import { pluginTemplate } from './plugin-template.js';

export const newPlugin = defineCommand({
  description: `Writes a package in plain JavaScript: manifest, plugin, test and README. With --slot logger it is a logger that
already keeps every promise of its slot; without, a plugin of its own.`,
  words: {
    kind: { choices: ['plugin'], description: 'a package that fills a slot or adds to a service' },
    name: { description: 'its name and that of its folder: lower-case letters, digits and dashes' },
  },
  options: {
    slot: { value: 'slot', description: `start from the template for a slot: logger` },
  },
  exitCodes: { 0: 'written', 1: 'something is in the way' },
  examples: [
    'keelson new plugin audit-log',
    'keelson new plugin console-logger --slot logger && keelson verify ./console-logger',
  ],
  async run({ options: { slot, json }, words: { name }, terminal }) {
    const folder = resolve(name);
    const code = 'CLI_NAME_INVALID';
    if (!/^[a-z][a-z0-9-]*$/.test(name)) {
      refuse(`${JSON.stringify(name)} cannot be the name of a plugin.`, 'Take a name like audit-log.', code);
    }
    if (existsSync(folder)) {
      refuse(`There is something at ${folder} already.`, 'Choose another name, or move it away.', 'CLI_FOLDER_TAKEN');
    }
    const files = pluginTemplate(name, slot);
    for (const [file, text] of Object.entries(files)) writeOutput(join(folder, file), text, { makeFolder: true });
    if (json) {
      printJson(terminal, { name, slot, folder, files: Object.keys(files) });
      return exitCodes.clean;
    }
    terminal.out(`Wrote ${Object.keys(files).length} files into ${name}/. Next:`);
    terminal.out(`  keelson verify ./${name}`);
    terminal.out(`  plugins:\n    ${slot ?? name}: { use: "./${name}/index.js" }`);
    return exitCodes.clean;
  },
});
