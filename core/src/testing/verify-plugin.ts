import { equal, ok } from 'node:assert/strict';
import { formatProblem } from '../config/problem.js';
import { variableFor } from '../config/variables.js';
import { type ConformanceCase, casesOf } from '../contract/conformance.js';
import type { Plugin, SlotConformance } from '../contract/plugin.js';
import type { PluginManifest } from '../contract/plugin-manifest.js';
import { Credentials } from '../contract/slots/credentials.js';
import { HealthService } from '../contract/slots/health.js';
import { HttpClient } from '../contract/slots/http-client.js';
import { HttpServer } from '../contract/slots/http-server.js';
import { Logger } from '../contract/slots/logger.js';
import { Metrics } from '../contract/slots/metrics.js';
import { RetryPolicy } from '../contract/slots/retry-policy.js';
import { Telemetry } from '../contract/slots/telemetry.js';
import { Kernel } from '../life/kernel.js';
import type { KernelOptions } from '../life/kernel-options.js';
import { checkManifest } from '../plan/check-manifest.js';
import { requirementName } from '../plan/dependencies.js';
import { tokenName } from '../plan/slots.js';
import { formatError } from '../secrets/format-error.js';
import { captureOutput } from './capture-output.js';
import { credentialsConformance } from './credentials-conformance.js';
import { FakeClock } from './fake-clock.js';
import { type HealthHarness, healthConformance } from './health-conformance.js';
import { type HttpClientHarness, httpClientConformance } from './http-client-conformance.js';
import { type HttpServerHarness, httpServerConformance } from './http-server-conformance.js';
import { loggerConformance } from './logger-conformance.js';
import { attemptsOf, callsUntilOpen } from './measure-retry-policy.js';
import { type MetricsHarness, metricsConformance } from './metrics-conformance.js';
import { type RetryPolicyHarness, retryPolicyConformance } from './retry-policy-conformance.js';
import { telemetryConformance } from './telemetry-conformance.js';

export interface VerifyOptions {
  /** The export of the entry `<package>/manifest`, when the package has that entry. */
  readonly manifest?: PluginManifest;
  /** The configuration of the plugin during the suite. Default: none. */
  readonly values?: Readonly<Record<string, unknown>>;
  /** Further configuration as texts by path (`pool.max`), converted like variables; wins over `values`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where relative paths in the configuration start. Default: the working directory. */
  readonly directory?: string;
  /** The suite of its slot, for a slot that `@keelson/core` does not define: the result of the plugin's `conformance`. */
  readonly suite?: SlotConformance;
  /** Plugins it requires, by key. */
  readonly others?: Readonly<Record<string, Plugin>>;
}

/**
 * What every plugin must do, and what its slot asks of it. Starts and stops the plugin for each case, in a kernel of its own.
 */
export function verifyPlugin(plugin: Plugin, options: VerifyOptions = {}): ConformanceCase[] {
  const faults = checkManifest(plugin);
  const sound = decisive('is a plugin', async () => ok(faults.length === 0, faults.join('; ')));
  if (faults.length > 0) return [sound];
  const key = plugin.slot ?? plugin.name;
  const settings = Object.entries(options.settings ?? {});
  const variables = Object.fromEntries(settings.map(([path, text]) => [variableFor(key, path.split('.')), text]));
  const kernelOptions = (values = options.values ?? {}): KernelOptions => ({
    config: { service: 'verify', plugins: { [key]: values } },
    variables,
    plugins: { ...options.others, [key]: plugin },
    ...(options.directory !== undefined && { directory: options.directory }),
  });
  const start = () => Kernel.start(kernelOptions());
  return [
    sound,
    ...manifestCases(plugin, options.manifest),
    decisive('fits the contract, its slot and the given configuration', async () => {
      const { problems } = await Kernel.plan(kernelOptions());
      ok(problems.length === 0, problems.map(formatProblem).join('\n'));
    }),
    plain('refuses a key that it does not know', async () => {
      const { problems } = await Kernel.plan(kernelOptions({ ...options.values, 'no-such-key': 1 }));
      ok(
        problems.some(problem => problem.code === 'CONFIG_KEY_UNKNOWN'),
        'an unknown key was taken: is the schema open?',
      );
    }),
    decisive('binds what it provides, starts, and stops cleanly', () => startAndStop(start)),
    plain('can be started and stopped again', async () => {
      await startAndStop(start);
      await startAndStop(start);
    }),
    plain('releases its resources when its start is cancelled', async () => {
      const error: unknown = await startCancelled(kernelOptions()).then(
        () => ok(false, 'the start was not cancelled'),
        (thrown: unknown) => thrown,
      );
      ok(formatError(error).includes('KERNEL_START_CANCELLED'), formatError(error));
      await startAndStop(start);
    }),
    ...slotCases(plugin, options, more => Kernel.start({ ...kernelOptions(), ...more })),
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
        decorates: (one.decorates ?? []).map(tokenName),
        requires: (one.requires ?? []).map(requirementName),
        checks: one.check !== undefined,
        diagnoses: one.diagnoses === true,
        hasConfig: one.config !== undefined,
      });
      equal(JSON.stringify(said(manifest)), JSON.stringify(said(plugin)));
    }),
  ];
}

/** A start that is cancelled when everyone has registered, while the plugin is starting or about to. */
async function startCancelled(options: KernelOptions): Promise<Kernel> {
  const cancel = new AbortController();
  const cancelling: Plugin = {
    name: 'cancelling',
    start: ({ signal }) =>
      new Promise(resolve => {
        signal.addEventListener('abort', () => resolve());
        setImmediate(() => cancel.abort('cancelled by verify'));
      }),
  };
  return Kernel.start({ ...options, plugins: { ...options.plugins, cancelling }, signal: cancel.signal });
}

async function startAndStop(start: () => Promise<Kernel>): Promise<void> {
  const kernel = await start();
  const { outcome, plugins } = await kernel.stop();
  equal(outcome, 'clean', plugins.flatMap(plugin => plugin.errors.map(error => formatError(error))).join('\n'));
}

type Start = (more?: Partial<KernelOptions>) => Promise<Kernel>;

function slotCases(plugin: Plugin, { suite, others }: VerifyOptions, start: Start): readonly ConformanceCase[] {
  if (suite !== undefined) {
    const own = { [plugin.slot ?? plugin.name]: plugin };
    return suite(async ({ plugins, idle } = {}) => {
      const others = plugins && { plugins: { ...plugins, ...own } };
      const kernel = await start({ ...others, ...(idle && { only: () => false }) });
      return { container: kernel.container, stop: () => kernel.stop() };
    });
  }
  switch (plugin.slot) {
    case 'logger':
      return loggerConformance(() => loggerHarness(start));
    case 'telemetry':
      return telemetryConformance(() => telemetryHarness(start));
    case 'metrics':
      return metricsConformance(() => metricsHarness(start));
    case 'retry':
      return retryPolicyConformance(() => retryHarness(start));
    case 'credentials':
      return credentialsConformance(() => credentialsHarness(start));
    case 'health':
      return healthConformance(() => healthHarness(start));
    case 'http':
      return httpServerConformance(prepare => httpHarness(start, { ...others, http: plugin }, prepare));
    case 'http-client':
      return httpClientConformance(() => httpClientHarness(start));
    default:
      return [];
  }
}

/** A kernel for one case. A clock that stands still is pushed while it stops. */
async function running(start: Start, clock?: FakeClock, more: Partial<KernelOptions> = {}) {
  const kernel = await start({ ...more, ...(clock && { clock }) });
  const close = async () => {
    const stopped = kernel.stop();
    await clock?.advance(longMs);
    await stopped;
  };
  return { container: kernel.container, close };
}

async function loggerHarness(start: Start) {
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

async function telemetryHarness(start: Start) {
  const { container, close } = await running(start);
  return { telemetry: container.get(Telemetry), close };
}

/** What arrives is not read: the suite does not know where. */
async function metricsHarness(start: Start): Promise<MetricsHarness> {
  const { container, close } = await running(start);
  return { metrics: container.get(Metrics), close };
}

async function retryHarness(start: Start): Promise<RetryPolicyHarness> {
  const limits = await measuredLimits(start);
  const { policy, clock, close } = await retryPolicyOf(start);
  return { policy, clock, ...limits, close };
}

/** The suite needs to know what the configuration says, whatever its keys are called: so it is tried out. */
async function measuredLimits(start: Start): Promise<Pick<RetryPolicyHarness, 'maxAttempts' | 'opensAfter'>> {
  const { policy, clock, close } = await retryPolicyOf(start);
  const maxAttempts = await attemptsOf(policy, clock);
  const opensAfter = await callsUntilOpen(policy, clock);
  await close();
  return { maxAttempts, ...(opensAfter !== undefined && { opensAfter }) };
}

async function retryPolicyOf(start: Start) {
  const clock = new FakeClock();
  const { container, close } = await running(start, clock, { random: () => 0.5 });
  return { policy: container.get(RetryPolicy), clock, close };
}

/** Its source is the one of the configuration, which the suite can neither count nor change. */
async function credentialsHarness(start: Start) {
  const { container, close } = await running(start);
  return { credentials: container.get(Credentials), close };
}

async function healthHarness(start: Start): Promise<HealthHarness> {
  const clock = new FakeClock();
  const { container, close } = await running(start, clock);
  return { health: container.get(HealthService), clock, stop: close, close };
}

async function httpHarness(
  start: Start,
  plugins: Readonly<Record<string, Plugin>>,
  prepare: (http: HttpServer) => void = () => {},
): Promise<HttpServerHarness> {
  const user: Plugin = {
    name: 'user-of-http',
    requires: [HttpServer],
    start: ({ container }) => prepare(container.get(HttpServer)),
  };
  const { container, close } = await running(start, undefined, { plugins: { ...plugins, [user.name]: user } });
  return { http: container.get(HttpServer), stop: close, close };
}

/** Its targets are not tried: the suite does not know what the configuration calls them. */
async function httpClientHarness(start: Start): Promise<HttpClientHarness> {
  const { container, close } = await running(start);
  return { client: container.get(HttpClient), close };
}

const longMs = 60_000;

/** A case without which no other case can run. */
function decisive(name: string, check: () => Promise<void>): ConformanceCase {
  return { ...plain(name, check), decisive: true };
}

const plain = casesOf(() => ({}));
