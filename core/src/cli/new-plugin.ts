import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { KeelsonError } from '../contract/keelson-error.js';
import { type Command, exitCodes, wrongUsage } from './command.js';
import { pluginTemplate } from './plugin-template.js';
import { writeBelowFolders } from './write-output.js';

export const newPlugin: Command = {
  name: 'new',
  summary: 'make the folder of a new plugin that passes its checks as it is',
  usage: 'plugin <name> [--slot logger] [--json]',
  help: `Writes a package in plain JavaScript: manifest, plugin, test and README. With --slot logger it is a logger that
already keeps every promise of its slot; without, a plugin of its own.

  keelson new plugin audit-log
  keelson new plugin console-logger --slot logger && keelson verify ./console-logger

Exit codes: 0 written, 1 something is in the way, 2 wrong usage.`,
  options: { slot: { type: 'string' }, json: { type: 'boolean' }, verbose: { type: 'boolean' } },
  positionals: true,
  async run(options, [kind, name, ...others], terminal) {
    if (kind !== 'plugin')
      throw wrongUsage(kind === undefined ? 'Say what to make: plugin.' : `There is no new ${kind}.`);
    if (name === undefined) throw wrongUsage('The plugin has no name.');
    if (others.length > 0) throw wrongUsage(`A plugin has one name; nothing is to be done with ${others.join(', ')}.`);
    const slot = typeof options.slot === 'string' ? options.slot : undefined;
    const folder = resolve(name);
    if (!/^[a-z][a-z0-9-]*$/.test(name)) throw badName(name);
    if (existsSync(folder)) throw taken(folder);
    const files = pluginTemplate(name, slot);
    for (const [file, contents] of Object.entries(files)) {
      writeBelowFolders(join(folder, file), contents);
    }
    if (options.json === true) {
      terminal.out(JSON.stringify({ name, slot, folder, files: Object.keys(files) }, undefined, 2));
      return exitCodes.clean;
    }
    terminal.out(`Wrote ${Object.keys(files).length} files into ${name}/. Next:`);
    terminal.out(`  keelson verify ./${name}`);
    terminal.out(`  plugins:\n    ${slot ?? name}: { use: "./${name}/index.js" }`);
    return exitCodes.clean;
  },
};

function badName(name: string): KeelsonError {
  return new KeelsonError({
    code: 'CLI_NAME_INVALID',
    message: `${JSON.stringify(name)} cannot be the name of a plugin.`,
    hint: 'Take lower-case letters, digits and dashes: audit-log.',
  });
}

function taken(folder: string): KeelsonError {
  return new KeelsonError({
    code: 'CLI_FOLDER_TAKEN',
    message: `There is something at ${folder} already.`,
    hint: 'Choose another name, or move it away.',
  });
}
