import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where pnpm has the settings of a workspace, or of a package that stands alone. */
export const settingsFile = 'pnpm-workspace.yaml';

/** Returns the file of the pnpm workspace that a folder lies in. A file without `packages` makes no workspace. */
export function workspaceAbove(folder: string): string | undefined {
  const parent = dirname(folder);
  if (parent === folder) return undefined;
  const file = join(parent, settingsFile);
  const isWorkspace = existsSync(file) && /^packages:/m.test(readFileSync(file, 'utf8'));
  return isWorkspace ? file : workspaceAbove(parent);
}

/** Returns the lines below `allowBuilds` of a settings file that this package has made. */
export function buildsOf(settings: string): readonly string[] {
  return settings.split('\n').filter(line => line.startsWith('  '));
}
