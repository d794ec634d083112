import { equal, ok } from 'node:assert/strict';
import { formatProblem } from '../config/problem.js';
import { formatError } from '../errors/format-error.js';
import { requirementName } from '../kernel/dependencies.js';
import { Kernel } from '../kernel/kernel.js';
import type { KernelOptions } from '../kernel/kernel-options.js';
import { tokenName } from '../kernel/slots.js';
import { checkManifest } from '../plugin/check-manifest.js';
import type { Plugin, PluginManifest } from '../plugin/plugin.js';
import { Logger } from '../slots/logger.js';
import { Telemetry } from '../slots/telemetry.js';
import { captureOutput } from './capture-output.js';
import { type ConformanceCase, conformanceCase } from './conformance.js';
import { loggerConformance } from './logger-conformance.js';
import { telemetryConformance } from './telemetry-conformance.js';

export interface VerifyOptions {
  /** What the plugin exports as its manifest, when it has an entry for that. */
  readonly manifest?: PluginManifest;
  /** The configuration it is tried with. Default: none. */
  readonly values?: Readonly<Record<string, unknown>>;
  /** Where relative paths in the configuration start. Default: the working directory. */
  readonly directory?: string;
  /** Plugins it requires, by key. */
  readonly others?: Readonly<Record<string, Plugin>>;
}

/**
 * What every plugin must do, and what its slot asks of it (loggers and telemetry; `@keelson/database/testing` has the
 * suite of databases). Starts and stops the plugin for each case, in a kernel of its own.
 */
export function verifyPlugin(plugin: Plugin, options: VerifyOptions = {}): ConformanceCase[] {
  const faults = checkManifest(plugin);
  const sound = plain('is a plugin', async () => equal(faults.join('; '), ''));
  if (faults.length > 0) return [sound];
  const key = plugin.slot ?? plugin.name;
  const kernelOptions = (values = options.values ?? {}): KernelOptions => ({
    config: { service: 'verify', plugins: { [key]: values } },
    variables: {},
    plugins: { ...options.others, [key]: plugin },
    ...(options.directory !== undefined && { directory: options.directory }),
  });
  const start = () => Kernel.start(kernelOptions());
  return [
    sound,
    ...manifestCases(plugin, options.manifest),
    plain('fits the contract, its slot and the given configuration', async () => {
      const { problems } = await Kernel.plan(kernelOptions());
      equal(problems.map(formatProblem).join('\n'), '');
    }),
    plain('refuses a key that it does not know', async () => {
      const { problems } = await Kernel.plan(kernelOptions({ ...options.values, 'no-such-key': 1 }));
      ok(
        problems.some(problem => problem.code === 'CONFIG_KEY_UNKNOWN'),
        'an unknown key was taken: is the schema open?',
      );
    }),
    plain('binds what it provides, starts, and stops cleanly', () => startAndStop(start)),
    plain('can be started and stopped again', async () => {
      await startAndStop(start);
      await startAndStop(start);
    }),
    plain('gives back what it took when its start is cancelled', async () => {
      const signal = AbortSignal.abort('cancelled by verify');
      const error: unknown = await Kernel.start({ ...kernelOptions(), signal }).catch((thrown: unknown) => thrown);
      ok(formatError(error).includes('KERNEL_START_CANCELLED'), formatError(error));
      await startAndStop(start);
    }),
    ...slotCases(plugin, start),
  ];
}

function manifestCases(plugin: Plugin, manifest: PluginManifest | undefined): ConformanceCase[] {
  if (manifest === undefined) return [];
  return [
    plain('says the same in its manifest and in its plugin', async () => {
      const said = (one: PluginManifest) => ({
        name: one.name,
        slot: one.slot,
        provides: (one.provides ?? []).map(tokenName),
        requires: (one.requires ?? []).map(requirementName),
        hasConfig: one.config !== undefined,
      });
      equal(JSON.stringify(said(manifest)), JSON.stringify(said(plugin)));
    }),
  ];
}

async function startAndStop(start: () => Promise<Kernel>): Promise<void> {
  const kernel = await start();
  const { outcome, plugins } = await kernel.stop();
  equal(outcome, 'clean', plugins.flatMap(plugin => plugin.errors.map(error => formatError(error))).join('\n'));
}

function slotCases(plugin: Plugin, start: () => Promise<Kernel>): ConformanceCase[] {
  if (plugin.slot === 'logger') return loggerConformance(() => loggerHarness(start));
  if (plugin.slot === 'telemetry') return telemetryConformance(() => telemetryHarness(start));
  return [];
}

async function loggerHarness(start: () => Promise<Kernel>) {
  const output = captureOutput();
  const kernel = await start();
  const logger = kernel.container.get(Logger);
  logger.fatal('probe');
  await logger.flush();
  const seen = output.lines().length;
  return {
    logger,
    ...(seen > 0 && { lines: () => output.lines().slice(seen) }),
    close: async () => {
      await kernel.stop();
      output[Symbol.dispose]();
    },
  };
}

async function telemetryHarness(start: () => Promise<Kernel>) {
  const kernel = await start();
  return { telemetry: kernel.container.get(Telemetry), close: async () => void (await kernel.stop()) };
}

function plain(name: string, check: () => Promise<void>): ConformanceCase {
  return conformanceCase(
    name,
    () => ({}),
    async () => {
      await check();
      return 'passed';
    },
  );
}
