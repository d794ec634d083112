import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { Kernel } from '../../life/kernel.js';
import { sourceFile } from '../../plan/source-file.js';
import { bundledModules, bundleEntry } from '../bundle/bundle-entry.js';
import { copyBundleFiles } from '../bundle/bundle-files.js';
import { type BundleFormat, runEsbuild } from '../bundle/esbuild.js';
import { defineCommand, exitCodes, printJson, refuse } from '../command.js';
import { configOptions, kernelOptions } from '../config-options.js';
import { runSources } from '../dev/run-sources.js';
import { refuseUnreadable } from '../output/refuse-unreadable.js';
import { writeOutput } from '../output/write-output.js';

export const bundle = defineCommand({
  description: `Writes a folder with the whole service. One file has the code of the service and of every plugin that one of
its environments chooses. keelson creates it with the package esbuild, which must be installed in the service. Beside it are the
configuration and the files that packages read. The folder needs no installed packages: node service.mjs starts the service.
Commands of keelson are part of it, such as node service.mjs check.

--entry writes only the entry module of a bundle, for your own bundler.`,
  options: {
    out: { value: 'folder', short: 'o', default: 'bundle', description: 'where to write; the folder is replaced' },
    format: { value: 'format', default: 'esm', description: 'esm for service.mjs, or cjs for service.cjs' },
    readable: { description: 'do not minify' },
    entry: { value: 'file', description: 'write only the entry module of a bundle' },
    ...configOptions,
  },
  exitCodes: { 0: 'written', 1: 'not written' },
  examples: ['keelson bundle && node bundle/service.mjs', 'keelson bundle --entry src/bundle.ts'],
  async run({ options, terminal }) {
    const format = formatOf(options.format);
    const given = kernelOptions(options, terminal);
    const config = resolve(given.config);
    if (process.features.typescript !== false) runSources();
    const plan = (environment?: string) =>
      Kernel.plan({
        ...given,
        variables: {},
        sourceOf: file => sourceFile(file, resolve(config, '..')),
        ...(environment !== undefined && { environment }),
      });
    const base = await plan();
    const plans = [base, ...(await Promise.all(base.config.environments.map(plan)))];
    refuseUnreadable(plans);
    if (options.entry !== undefined) {
      writeOutput(options.entry, bundleEntry(bundledModules(plans, base.directory, dirname(resolve(options.entry)))));
      terminal.err(`Wrote ${options.entry}.`);
      return exitCodes.clean;
    }
    const modules = bundledModules(plans, base.directory);
    const entry = bundleEntry(modules);
    const folder = resolve(options.out);
    refuseTaken(folder, base.directory);
    const name = bundleNames[format];
    const files = await replaceFolder(folder, async draft => {
      const inputs = await runEsbuild({
        directory: base.directory,
        entry,
        file: join(draft, name),
        format,
        minify: !options.readable,
      });
      return copyBundleFiles(draft, [...new Set(plans.flatMap(each => each.files))], inputs);
    });
    const use = [...modules.keys()];
    if (options.json) printJson(terminal, { folder, file: name, files, plugins: use });
    else {
      const place = relative(process.cwd(), folder);
      terminal.out(`Wrote ${join(place, name)} with ${use.join(', ')}.`);
      terminal.out(`Beside it: ${files.join(', ')}.`);
      terminal.out(`Run it in that folder: node ${name}`);
    }
    return exitCodes.clean;
  },
});

function formatOf(text: string): BundleFormat {
  if (text === 'esm' || text === 'cjs') return text;
  return refuse(`--format takes esm or cjs, and got ${text}.`);
}

const bundleNames = { esm: 'service.mjs', cjs: 'service.cjs' } as const;

/** A folder of something else is not replaced, nor is one that the service itself is in. */
function refuseTaken(folder: string, directory: string): void {
  if (isWithin(folder, directory)) {
    const hint = 'Choose another folder with --out.';
    refuse(`${folder} has the service itself in it.`, hint, 'CLI_FOLDER_TAKEN');
  }
  const names = existsSync(folder) ? readdirSync(folder) : [];
  if (names.length === 0 || Object.values(bundleNames).some(name => names.includes(name))) return;
  refuse(
    `${folder} has files that do not belong to a bundle.`,
    'Choose another folder with --out, or empty it.',
    'CLI_FOLDER_TAKEN',
  );
}

function isWithin(folder: string, directory: string): boolean {
  const path = relative(folder, directory);
  return path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path);
}

/** `fill` writes into a new folder, which then takes the place of the old one. When it fails, nothing has changed. */
async function replaceFolder<T>(folder: string, fill: (draft: string) => Promise<T>): Promise<T> {
  mkdirSync(dirname(folder), { recursive: true });
  const draft = mkdtempSync(join(dirname(folder), `.${basename(folder)}-`));
  try {
    const result = await fill(draft);
    chmodSync(draft, 0o755);
    rmSync(folder, { recursive: true, force: true });
    renameSync(draft, folder);
    return result;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
