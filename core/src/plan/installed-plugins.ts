import type { PluginManifest } from '../contract/plugin-manifest.js';
import { checkManifest } from './check-manifest.js';
import { findPackage, importDefault } from './package-entry.js';
import { runtimeDependencies } from './package-names.js';
import { tokenName } from './slots.js';

/** A plugin that the service depends on, chosen or not. */
export interface InstalledPlugin {
  readonly name: string;
  readonly version?: string;
  readonly slot?: string;
  readonly provides: readonly string[];
  readonly manifest: PluginManifest;
}

/** Looks at the dependencies in `package.json` that export a manifest, and imports nothing else of them. */
export async function installedPlugins(directory: string): Promise<readonly InstalledPlugin[]> {
  const found = await Promise.all(runtimeDependencies(directory).map(name => installed(name, directory)));
  return found.filter(plugin => plugin !== undefined);
}

/** Lists valid plugins only; the service did not choose the others. */
async function installed(name: string, directory: string): Promise<InstalledPlugin | undefined> {
  try {
    const found = findPackage(name, directory);
    if (found?.manifest === undefined) return undefined;
    const manifest = await importDefault<PluginManifest>(found.manifest);
    if (checkManifest(manifest).length > 0) return undefined;
    return {
      name,
      manifest,
      provides: (manifest.provides ?? []).map(tokenName),
      ...(manifest.slot !== undefined && { slot: manifest.slot }),
      ...(found.version !== undefined && { version: found.version }),
    };
  } catch {
    return undefined;
  }
}
