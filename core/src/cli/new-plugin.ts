import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { KeelsonError } from '../errors/keelson-error.js';
import { type Command, exitCodes } from './command.js';
import { pluginTemplate } from './plugin-template.js';

export const newPlugin: Command = {
  name: 'new',
  summary: 'make the folder of a new plugin that passes its checks as it is',
  usage: 'plugin <name> [--slot logger] [--json]',
  help: `Writes a package in plain JavaScript: manifest, plugin, test and README. With --slot logger it is a logger that
already keeps every promise of its slot; without, a plugin of its own.

  keelson new plugin audit-log
  keelson new plugin console-logger --slot logger && keelson verify ./console-logger`,
  options: { slot: { type: 'string' }, json: { type: 'boolean' }, verbose: { type: 'boolean' } },
  positionals: true,
  async run(options, [kind, name], terminal) {
    if (kind !== 'plugin' || name === undefined) {
      terminal.err('Usage: keelson new plugin <name> [--slot logger]');
      return exitCodes.usage;
    }
    const slot = typeof options.slot === 'string' ? options.slot : undefined;
    const folder = resolve(name);
    if (!/^[a-z][a-z0-9-]*$/.test(name)) throw badName(name);
    if (existsSync(folder)) throw taken(folder);
    const files = pluginTemplate(name, slot);
    for (const [file, contents] of Object.entries(files)) {
      const path = join(folder, file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, contents);
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
