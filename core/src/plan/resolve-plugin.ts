import { existsSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { namesIn } from '../config/config-files.js';
import { errorPlace } from '../config/error-place.js';
import type { ConfigEntry } from '../config/load-config.js';
import { nearest } from '../config/nearest.js';
import { displayPath } from '../config/place.js';
import type { Problem } from '../config/problem.js';
import type { Clock } from '../contract/clock.js';
import type { Plugin } from '../contract/plugin.js';
import type { PluginManifest } from '../contract/plugin-manifest.js';
import { runWithin } from '../time/run-within.js';
import { checkManifest } from './check-manifest.js';
import {
  defaultOf,
  findPackage,
  type InstalledPackage,
  importDefault,
  isPackageName,
  isPath,
  pathOf,
} from './package-entry.js';
import { installAdvice } from './package-names.js';
import { choiceOf, type PlannedPlugin } from './plan.js';
import { sourceFile } from './source-file.js';

/** Default time for the start of a plugin, and for the import of its manifest, in milliseconds. */
export const defaultStartTimeoutMs = 30_000;

class ImportTimeout extends Error {}

/** The implementation that an entry of the configuration names. */
export interface ResolvedPlugin {
  readonly entry: ConfigEntry;
  readonly source: PlannedPlugin['source'];
  readonly version?: string;
  /** Imports the manifest. Heavy for a file and for a package without a manifest entry. */
  readonly manifest: () => Promise<PluginManifest>;
  /** Whether `manifest` imports nothing but the manifest. */
  readonly light: boolean;
  readonly load: () => Promise<Plugin>;
}

/** Where `plugin` is missing, `problems` says why; nothing when that was said of the entry already. */
interface Resolution {
  readonly plugin?: ResolvedPlugin;
  readonly problems?: readonly Problem[];
}

/** Plugins by what `use` names, or how to load them: `{ "@keelson/health": () => import("@keelson/health") }`. */
export type PluginModules = Readonly<Record<string, Plugin | (() => Promise<{ readonly default: Plugin }>)>>;

export interface ResolveRequest {
  readonly directory: string;
  /** Plugins given in code, by key, instead of what `use` names. */
  readonly plugins: Readonly<Record<string, Plugin>>;
  /** Of a bundle; nothing else can be loaded. */
  readonly modules?: PluginModules;
  /** The file to load in place of one that `use` names. */
  readonly sourceOf?: (file: string) => string | undefined;
}

/** Finds what `use` names, loading nothing. */
export function resolvePlugin(entry: ConfigEntry, request: ResolveRequest): Resolution {
  const { directory, plugins, modules, sourceOf } = request;
  const given = Object.hasOwn(plugins, entry.key) ? plugins[entry.key] : undefined;
  if (given !== undefined) {
    const load = async () => given;
    return { plugin: { entry, source: 'code', manifest: load, light: true, load } };
  }
  if (entry.use === undefined) return {};
  if (modules !== undefined) return resolveModule(entry, entry.use, modules);
  if (!isPath(entry.use)) return resolvePackage(entry, entry.use, directory);
  const file = pathOf(entry.use, directory);
  return resolveFile(entry, sourceOf?.(file) ?? file, directory);
}

function resolveModule(entry: ConfigEntry, use: string, modules: PluginModules): Resolution {
  const given = Object.hasOwn(modules, use) ? modules[use] : undefined;
  if (given === undefined) return { problems: [notBundled(entry, use, Object.keys(modules))] };
  if (typeof given !== 'function') {
    const load = async () => given;
    return { plugin: { entry, source: 'code', manifest: load, light: true, load } };
  }
  const load = async () => defaultOf<Plugin>(await given());
  return { plugin: { entry, source: 'code', manifest: load, light: false, load } };
}

function notBundled(entry: ConfigEntry, use: string, known: readonly string[]): Problem {
  const meant = nearest(use, known);
  return {
    code: 'PLUGIN_NOT_BUNDLED',
    message: `${use} is not part of this bundle.`,
    ...choiceOf(entry),
    value: use,
    allowed: [...known, 'none'].join(', '),
    ...(meant !== undefined && { nearest: meant }),
    action: 'Name one of these, or add it to `modules` of the bundle and build the bundle again.',
  };
}

function resolveFile(entry: ConfigEntry, file: string, directory: string): Resolution {
  if (!existsSync(file)) return { problems: [missingFile(entry, file, directory)] };
  if (!/\.[cm]?[jt]s$/.test(file)) return { problems: [noModule(entry, file)] };
  const load = () => importDefault<Plugin>(pathToFileURL(file));
  const beside = manifestBeside(file);
  const manifest = beside === undefined ? load : () => importDefault<PluginManifest>(pathToFileURL(beside));
  return { plugin: { entry, source: 'file', manifest, light: beside !== undefined, load } };
}

/** `orders.manifest.js` for `orders.plugin.js`, when it is there: then a plan imports nothing heavier. */
function manifestBeside(file: string): string | undefined {
  const manifest = file.replace(/\.plugin(\.[cm]?[jt]s)$/, '.manifest$1');
  return manifest !== file && existsSync(manifest) ? manifest : undefined;
}

function resolvePackage(entry: ConfigEntry, name: string, directory: string): Resolution {
  let found: InstalledPackage | undefined;
  try {
    found = findPackage(name, directory);
  } catch (error) {
    return { problems: [importFailed(entry, error)] };
  }
  if (found === undefined) {
    const isFile = existsSync(resolve(directory, name));
    return { problems: [isFile ? pathWithoutDot(entry, name) : notInstalled(entry, name, directory)] };
  }
  const { main, manifest, version } = found;
  const load = () => importDefault<Plugin>(main);
  return {
    plugin: {
      entry,
      source: 'package',
      ...(version !== undefined && { version }),
      manifest: manifest === undefined ? load : () => importDefault<PluginManifest>(manifest),
      light: manifest !== undefined,
      load,
    },
  };
}

function notInstalled(entry: ConfigEntry, name: string, directory: string): Problem {
  const place = { ...choiceOf(entry), value: name };
  if (name.toLowerCase() === 'none') {
    const message = `${JSON.stringify(name)} is not a plugin, and the word none must be in lower case.`;
    return { code: 'PLUGIN_NOT_INSTALLED', message, ...place, nearest: 'none', action: 'Write none.' };
  }
  if (isPackageName(name)) {
    const message = `The package ${name} is not installed.`;
    return { code: 'PLUGIN_NOT_INSTALLED', message, ...place, ...installAdvice(name, directory) };
  }
  return {
    code: 'PLUGIN_NOT_INSTALLED',
    message: `${JSON.stringify(name)} is neither the name of a package nor a path.`,
    ...place,
    allowed: 'a package, a path that begins with ./, or none',
    action: 'Set `use` to one of the allowed forms.',
  };
}

function pathWithoutDot(entry: ConfigEntry, name: string): Problem {
  return {
    code: 'PLUGIN_NOT_INSTALLED',
    message: `${name} is a file, but without ./ it is read as the name of a package.`,
    ...choiceOf(entry),
    value: name,
    nearest: `./${name}`,
    action: `Write ./${name}.`,
  };
}

function missingFile(entry: ConfigEntry, file: string, directory: string): Problem {
  const meant = nearest(basename(file), namesIn(dirname(file)));
  const source = sourceFile(file, directory);
  return {
    code: 'PLUGIN_FILE_MISSING',
    message: `File ${displayPath(file)} was not found.`,
    ...choiceOf(entry),
    ...(entry.use !== undefined && { value: entry.use }),
    ...(meant !== undefined && { nearest: meant }),
    action:
      source === undefined
        ? 'Fix the path, or build the service first when the file is a result of the build.'
        : `Build the service (npm run build), or run \`keelson dev\`, which runs ${displayPath(source)}.`,
  };
}

function noModule(entry: ConfigEntry, file: string): Problem {
  const inside = namesIn(file).find(name => /^index\.[cm]?[jt]s$/.test(name));
  const isFolder = statSync(file).isDirectory();
  return {
    code: 'PLUGIN_INVALID',
    message: `${displayPath(file)} is ${isFolder ? 'a folder' : 'not a module'}, so it cannot be a plugin.`,
    ...choiceOf(entry),
    ...(entry.use !== undefined && { value: entry.use }),
    allowed: 'a file that ends in .js or .ts (also .mjs, .cjs, .mts, .cts), or a package',
    ...(isFolder && inside !== undefined && { nearest: `${entry.use?.replace(/\/$/, '')}/${inside}` }),
    action: 'Name the module whose default export is the plugin.',
  };
}

/** @throws what `work` throws, or that its time was over. */
export function importInTime<T>(
  work: () => Promise<T>,
  clock: Clock,
  timeoutMs: number = defaultStartTimeoutMs,
): Promise<T> {
  const onTimeout = () => new ImportTimeout(`it did not finish within ${timeoutMs} ms.`);
  return runWithin({ clock, timeoutMs, work, onTimeout, partingMs: 0 });
}

/** The manifest of a plugin, checked; `problems` says why there is none. */
export async function readManifest(
  { entry, manifest: work }: ResolvedPlugin,
  clock: Clock,
): Promise<{ readonly manifest?: PluginManifest; readonly problems: readonly Problem[] }> {
  try {
    const manifest = await importInTime(work, clock, entry.settings.startTimeoutMs);
    const faults = checkManifest(manifest);
    return faults.length === 0 ? { manifest, problems: [] } : { problems: [noPlugin(entry, faults)] };
  } catch (error) {
    return { problems: [importFailed(entry, error)] };
  }
}

function noPlugin(entry: ConfigEntry, faults: readonly string[]): Problem {
  return {
    code: 'PLUGIN_INVALID',
    message: `${entry.use} is not a usable plugin: ${faults.join('; ')}.`,
    ...choiceOf(entry),
    action: 'Export the result of definePlugin (or defineManifest) as the default export.',
  };
}

function importFailed(entry: ConfigEntry, error: unknown): Problem {
  return {
    code: 'PLUGIN_IMPORT_FAILED',
    message: `${entry.use} could not be imported: ${importReason(error)}`,
    ...choiceOf(entry),
    action: importAdvice(error),
  };
}

/** Why a module could not be imported, and where. */
export function importReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const place = errorPlace(error);
  // Node proposes an import from inside the package below it.
  const said = isMissingModule(error) ? message.replace(/\nDid you mean .*/, '') : message;
  return place === undefined ? said : `${said} (${place})`;
}

/** What to do about it. */
export function importAdvice(error: unknown): string {
  if (error instanceof ImportTimeout) return 'Move the code that the module awaits at its top level into `start`.';
  if (isMissingModule(error)) return 'Install what it imports, or build it.';
  return 'Fix the module; the import of a plugin must not connect or throw.';
}

function isMissingModule(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | null)?.code === 'ERR_MODULE_NOT_FOUND';
}
