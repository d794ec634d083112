import { relative, resolve, sep } from 'node:path';
import { isPath } from '../../plan/package-entry.js';
import type { Plan } from '../../plan/plan.js';
import { sourceFile } from '../../plan/source-file.js';

/**
 * What each `use` of the plans names, to be imported by a file in `from`: a package, or the source of a file of the service
 * in `directory`, as TypeScript wants it: with `.js` for a file that ends in `.ts`.
 */
export function bundledModules(
  plans: readonly Plan[],
  directory: string,
  from: string = directory,
): ReadonlyMap<string, string> {
  const entries = plans.flatMap(plan => plan.config.entries).flatMap(({ use }) => use ?? []);
  const chosen = [...new Set(entries)].filter(use => use !== 'none').toSorted();
  return new Map(chosen.map(use => [use, isPath(use) ? pathOf(use, directory, from) : use]));
}

function pathOf(use: string, directory: string, from: string): string {
  const file = resolve(directory, use);
  const path = relative(from, sourceFile(file, directory) ?? file)
    .split(sep)
    .join('/');
  return (path.startsWith('../') ? path : `./${path}`).replace(/\.([cm]?)ts$/, '.$1js');
}

/** The text of the module that a bundle begins with. */
export function bundleEntry(modules: ReadonlyMap<string, string>): string {
  const lines = [...modules].map(
    ([use, specifier]) => `  ${JSON.stringify(use)}: () => import(${JSON.stringify(specifier)}),\n`,
  );
  return `import { runBundle } from '@keelson/core/cli';\n\nrunBundle({\n${lines.join('')}});\n`;
}
