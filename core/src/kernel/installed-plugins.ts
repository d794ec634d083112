import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkManifest } from '../plugin/check-manifest.js';
import type { PluginManifest } from '../plugin/plugin.js';
import { findPackage, importDefault } from './package-entry.js';

/** A package that the service depends on and that fills a slot, chosen or not. */
export interface InstalledPlugin {
  readonly name: string;
  readonly version?: string;
  readonly slot: string;
}

/** Looks at the dependencies in `package.json` that export a manifest, and imports nothing else of them. */
export async function installedPlugins(directory: string): Promise<readonly InstalledPlugin[]> {
  const found = await Promise.all(dependenciesOf(directory).map(name => installed(name, directory)));
  return found.filter(plugin => plugin !== undefined);
}

function dependenciesOf(directory: string): string[] {
  try {
    const file = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Record<
      string,
      object | undefined
    >;
    return Object.keys({ ...file.dependencies, ...file.optionalDependencies });
  } catch {
    return [];
  }
}

/** What is broken or no plugin is not listed: nobody has asked for it. */
async function installed(name: string, directory: string): Promise<InstalledPlugin | undefined> {
  try {
    const found = findPackage(name, directory);
    if (found?.manifest === undefined) return undefined;
    const manifest = await importDefault<PluginManifest>(found.manifest);
    if (checkManifest(manifest).length > 0 || manifest.slot === undefined) return undefined;
    return { name, slot: manifest.slot, ...(found.version !== undefined && { version: found.version }) };
  } catch {
    return undefined;
  }
}
