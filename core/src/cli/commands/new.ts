import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { contractVersion } from '../../contract/contract-version.js';
import { packageFile } from '../../plan/package-entry.js';
import { defineCommand, exitCodes, printJson, refuse } from '../command.js';
import { writeOutput } from '../output/write-output.js';

/** `plugin` is a whole package; `plugin-<slot>` holds the files that are different for a slot. */
const templates = fileURLToPath(new URL('../../../templates/', import.meta.url));
const ofSlot = 'plugin-';
/** What the code of a new plugin imports. */
const imported = ['@keelson/core', 'zod'];
const placeholders = { name: 'my-plugin', version: '0.0.0-core' };

export const newPlugin = defineCommand({
  description: `Writes a package in plain JavaScript: manifest, plugin, test and README. With --slot logger, the plugin is a
logger that already passes the suite of its slot. Without --slot, it fills no slot.`,
  words: {
    kind: { choices: ['plugin'], description: 'a package that fills a slot or adds to a service' },
    name: { description: 'its name and that of its folder: lower-case letters, digits and dashes' },
  },
  options: {
    slot: { value: 'slot', description: `start from the template for a slot: ${slotsWithTemplate().join(', ')}` },
  },
  exitCodes: { 0: 'written', 1: 'the folder exists' },
  examples: ['keelson new plugin audit-log', 'keelson new plugin console-logger --slot logger'],
  async run({ options: { slot, json }, words: { name }, terminal }) {
    const folder = resolve(name);
    const code = 'CLI_NAME_INVALID';
    if (!/^[a-z][a-z0-9-]*$/.test(name)) {
      refuse(`${JSON.stringify(name)} cannot be the name of a plugin.`, 'Use a name like audit-log.', code);
    }
    const slots = slotsWithTemplate();
    if (slot !== undefined && !slots.includes(slot)) {
      const hint = `Use --slot ${slots.join(' or ')}, or omit it and add \`slot\` and \`provides\` to the manifest.`;
      refuse(`The slot ${slot} has no template.`, hint, code);
    }
    if (existsSync(folder)) {
      refuse(`${folder} exists already.`, 'Choose another name, or move that folder away.', 'CLI_FOLDER_TAKEN');
    }
    const sources = templateFiles(slot);
    for (const [file, source] of sources) {
      const text = readFileSync(source, 'utf8');
      const filled = text.replaceAll(placeholders.name, name).replaceAll(placeholders.version, contractVersion);
      writeOutput(join(folder, file), filled, { makeFolder: true });
    }
    if (json) {
      printJson(terminal, { name, slot, folder, files: [...sources.keys()] });
      return exitCodes.clean;
    }
    terminal.out(`Wrote ${sources.size} files into ${name}/. Next:`);
    if (imported.some(each => packageFile(each, folder) === undefined)) {
      terminal.out(
        `  install ${imported.join(' and ')}: npm install in ${name}, or an install at the root of a workspace`,
      );
    }
    terminal.out(`  keelson verify ./${name}`);
    terminal.out(`  plugins:\n    ${slot ?? name}: { use: "./${name}/index.js" }`);
    return exitCodes.clean;
  },
});

function slotsWithTemplate(): string[] {
  return readdirSync(templates)
    .filter(folder => folder.startsWith(ofSlot))
    .map(folder => folder.slice(ofSlot.length));
}

/** The file of the template for each file of the new plugin. */
function templateFiles(slot: string | undefined): ReadonlyMap<string, string> {
  const folders = ['plugin', ...(slot === undefined ? [] : [ofSlot + slot])].map(folder => join(templates, folder));
  return new Map(folders.flatMap(folder => readdirSync(folder).map(file => [file, join(folder, file)] as const)));
}
