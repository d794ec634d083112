import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import { z } from 'zod';
import { eventually } from './eventually.js';
import { isFirst } from './first-maker.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

const packageFile = z.looseObject({ name: z.string(), version: z.string(), private: z.boolean().optional() });

export interface PublishedPackage {
  /** Below the root of the repository: `plugins/health`. */
  readonly folder: string;
  readonly name: string;
  readonly version: string;
}

/** The packages of this repository that are published. */
export const publishedPackages: readonly PublishedPackage[] = [
  'core',
  'core/create-keelson',
  ...readdirSync(join(root, 'plugins')).map(name => `plugins/${name}`),
]
  .filter(folder => existsSync(join(root, folder, 'package.json')))
  .map(folder => {
    const file = packageFile.parse(JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')));
    return { folder, isPrivate: file.private === true, name: file.name, version: file.version };
  })
  .filter(({ isPrivate }) => !isPrivate);

/** Where `packPackages` makes the packages, as a release does. A service in a folder below finds all of them. */
export function madePackages(): string {
  return join(inject('sharedFolder'), 'packages');
}

/** Makes and packs all published packages, once in a test run. Returns the path of the tarball of each, by name. */
export async function packPackages(): Promise<ReadonlyMap<string, string>> {
  const folder = join(inject('sharedFolder'), 'tarballs');
  const draft = `${folder}.draft`;
  if (isFirst(draft)) {
    const options = { shell: process.platform === 'win32', maxBuffer: 2 ** 26 };
    await run(process.execPath, [join(root, '.ci/packages.mjs'), madePackages()]);
    await run('npm', ['pack', '--pack-destination', draft, '--workspaces'], { ...options, cwd: madePackages() });
    renameSync(draft, folder);
  } else {
    await eventually(() => existsSync(folder), { timeoutMs: 240_000, that: 'the tarballs of another test file' });
  }
  return new Map(publishedPackages.map(one => [one.name, join(folder, tarballName(one))]));
}

function tarballName({ name, version }: PublishedPackage): string {
  return `${name.replace('@', '').replace('/', '-')}-${version}.tgz`;
}
