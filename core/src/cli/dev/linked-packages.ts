import { realpathSync } from 'node:fs';
import { dirname, relative, sep } from 'node:path';
import { packageFile } from '../../plan/package-entry.js';
import { runtimeDependencies } from '../../plan/package-names.js';

/**
 * The folders of the packages that a service uses as they are written: those of its workspace. A package manager links
 * them, so their code changes without an installation. Folders inside `directory` are left out.
 */
export function linkedPackages(directory: string): readonly string[] {
  const found = new Set<string>();
  const add = (user: string) => {
    for (const name of runtimeDependencies(user)) {
      const file = packageFile(name, user);
      if (file === undefined) continue;
      const folder = dirname(realpathSync(file));
      if (found.has(folder) || folder.split(sep).includes('node_modules')) continue;
      found.add(folder);
      add(folder);
    }
  };
  const service = realpathSync(directory);
  add(service);
  return [...found].filter(folder => relative(service, folder).split(sep)[0] === '..');
}
