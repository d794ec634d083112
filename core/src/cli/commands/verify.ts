import { existsSync, statSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { nodeOf } from '../../config/node.js';
import { systemClock } from '../../contract/clock.js';
import type { ConformanceCase } from '../../contract/conformance.js';
import { isKeelsonError, KeelsonError } from '../../contract/keelson-error.js';
import type { Plugin } from '../../contract/plugin.js';
import type { PluginManifest } from '../../contract/plugin-manifest.js';
import { checkManifest } from '../../plan/check-manifest.js';
import { findPackage, findPackageAt, importDefault, isPackageName, isPath, pathOf } from '../../plan/package-entry.js';
import { installAdvice } from '../../plan/package-names.js';
import { importAdvice, importInTime, importReason } from '../../plan/resolve-plugin.js';
import { formatError } from '../../secrets/format-error.js';
import { captureOutput } from '../../testing/capture-output.js';
import { defineCommand, exitCodes, printJson, refuse, type Terminal } from '../command.js';

export const verify = defineCommand({
  description: `Starts and stops the plugin in a separate kernel, and runs the suite of its slot. The suite of a database slot
needs an empty database.`,
  words: { plugin: { description: 'an installed package, a file or a folder' } },
  options: {
    set: { value: 'key=value', multiple: true, short: 's', description: 'set a value of its configuration' },
    values: { value: 'json', description: 'set several values: {"key": "value"}' },
  },
  exitCodes: { 0: 'no case failed', 1: 'a case failed, or the plugin was not found' },
  examples: [
    'keelson verify ./my-logger',
    'keelson verify ./my-driver.js --set url=postgresql://localhost/empty',
    `keelson verify @acme/telemetry --values '{"url": "http://localhost:4318"}'`,
  ],
  async run({ options, words: { plugin: name }, terminal }) {
    const { plugin, manifest } = await loadPlugin(name);
    const faults = checkManifest(plugin);
    if (faults.length > 0) {
      const hint = 'Export the result of definePlugin as the default export.';
      refuse(`${name} is not a usable plugin: ${faults.join('; ')}.`, hint, 'PLUGIN_INVALID');
    }
    // Here alone, because it brings the suites of all slots.
    const { verifyPlugin } = await import('../../testing/verify-plugin.js');
    const suite = await plugin.conformance?.();
    const cases = verifyPlugin(plugin, {
      values: parseValues(options.values),
      settings: parseSettings(options.set),
      ...(manifest && { manifest }),
      ...(suite && { suite }),
    });
    const results: Result[] = [];
    for (const [index, one] of cases.entries()) {
      const result = await runCase(one);
      results.push(result);
      if (!options.json) terminal.out(format(result, results.at(-2)?.reason));
      if (result.outcome !== 'failed' || one.decisive !== true) continue;
      const reason = `"${one.name}" failed`;
      results.push(...cases.slice(index + 1).map(({ name }) => ({ name, outcome: 'not-tried' as const, reason })));
      break;
    }
    return conclude(plugin.name, results, options.json, terminal);
  },
});

interface Result {
  readonly name: string;
  readonly outcome: 'passed' | 'not-applicable' | 'failed' | 'not-tried';
  /** Why it failed, is not applicable or was not tried. */
  readonly reason?: string;
}

/** The output of the plugin, as of a logger, is not a result. */
async function runCase({ name, needs, run }: ConformanceCase): Promise<Result> {
  using _written = captureOutput();
  try {
    const outcome = await run();
    // A suite in plain JavaScript may return nothing.
    if (outcome !== 'not-applicable') return { name, outcome: 'passed' };
    return { name, outcome, reason: needs === undefined ? 'it does not have this feature' : `needs ${needs}` };
  } catch (error) {
    return { name, outcome: 'failed', reason: reasonOf(error) };
  }
}

function reasonOf(error: unknown): string {
  if (isKeelsonError(error)) return formatError(error);
  return error instanceof Error ? error.message : String(error);
}

/** One cause makes many cases fail: a repeated reason is printed once. */
function format({ name, outcome, reason }: Result, reasonBefore: string | undefined): string {
  const sign = { passed: 'ok  ', 'not-applicable': '-   ', failed: 'FAIL', 'not-tried': '-   ' }[outcome];
  if (reason === undefined) return `${sign}  ${name}`;
  const told = reason === reasonBefore ? 'for the same reason' : reason.trimEnd();
  return `${sign}  ${name}\n      ${told.replaceAll('\n', '\n      ')}`;
}

function conclude(plugin: string, results: readonly Result[], json: boolean, terminal: Terminal): number {
  const count = (outcome: Result['outcome']) => results.filter(result => result.outcome === outcome).length;
  const failed = count('failed');
  if (json) printJson(terminal, { plugin, results });
  else {
    const counts = [
      `${count('passed')} passed`,
      ...counted(failed, 'failed'),
      ...counted(count('not-applicable'), 'not applicable'),
      ...counted(count('not-tried'), `not tried, because ${results.at(-1)?.reason}`),
    ];
    terminal.out(`\n${plugin}: ${counts.join(', ')}`);
  }
  return failed === 0 ? exitCodes.clean : exitCodes.failed;
}

function counted(count: number, what: string): string[] {
  return count === 0 ? [] : [`${count} ${what}`];
}

async function loadPlugin(name: string): Promise<{ plugin: Plugin; manifest?: PluginManifest }> {
  const path = pathOf(name, process.cwd());
  if ((isPath(name) || !name.startsWith('@')) && existsSync(path) && statSync(path).isFile()) {
    return { plugin: await load<Plugin>(name, pathToFileURL(path)) };
  }
  const found = existsSync(path) ? findPackageAt(path) : findPackage(name, process.cwd());
  if (found === undefined) refuseMissing(name);
  const plugin = await load<Plugin>(name, found.main);
  return found.manifest === undefined
    ? { plugin }
    : { plugin, manifest: await load<PluginManifest>(name, found.manifest) };
}

async function load<T>(name: string, url: URL): Promise<T> {
  try {
    return await importInTime(() => importDefault<T>(url), systemClock);
  } catch (error) {
    throw new KeelsonError({
      code: 'PLUGIN_IMPORT_FAILED',
      message: `${name} could not be imported: ${importReason(error)}`,
      hint: importAdvice(error),
      cause: error,
    });
  }
}

function parseSettings(words: readonly string[]): Record<string, string> {
  const wrong = words.find(word => !/^[^=]+=/.test(word));
  if (wrong !== undefined) {
    const hint = 'Write it as --set key=value, or --set pool.max=4 for a key inside another.';
    refuse(`--set ${wrong.split('=')[0]} has no key and value.`, hint, 'CLI_VALUES_INVALID');
  }
  return Object.fromEntries(words.map(word => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]));
}

function parseValues(text = '{}'): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (nodeOf(value, { from: 'code' }).kind === 'map') return value as Record<string, unknown>;
  } catch {
    // Reported below.
  }
  refuse('--values is not a JSON object.', `Write it as --values '{"key": "value"}'.`, 'CLI_VALUES_INVALID');
}

function refuseMissing(name: string): never {
  const advice = isPackageName(name) ? ` ${installAdvice(name, process.cwd()).action}` : '';
  const message = `No file, folder or installed package ${name} was found.`;
  refuse(message, `Fix the path.${advice}`, 'PLUGIN_NOT_INSTALLED');
}
