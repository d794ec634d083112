import type { Container } from 'inversify';
import type { Clock } from '../contract/clock.js';
import type { Lifecycle } from '../contract/lifecycle.js';
import type { Plugin } from '../contract/plugin.js';
import type { ServiceToken } from '../contract/token.js';
import { Kernel } from '../life/kernel.js';
import type { StartReport, StopReport } from '../life/report.js';
import { slotsOf } from '../plan/slots.js';
import { FakeClock } from './fake-clock.js';
import { RecordingLogger } from './recording-logger.js';
import { RecordingMetrics } from './recording-metrics.js';
import { RecordingTelemetry } from './recording-telemetry.js';

export interface TestKernelOptions {
  /** The plugins under test. Each is keyed by its slot, or else by its name. */
  readonly plugins?: readonly Plugin[];
  /** What fills a slot instead of a plugin, by the name of the slot: `{ database: fakeDatabase }`. */
  readonly slots?: Readonly<Record<string, object>>;
  /** Services that the plugins require and that no plugin of the test provides. */
  readonly services?: Iterable<readonly [ServiceToken, unknown]>;
  /** The configuration of the plugins, by key: `{ outbox: { batchSize: 10 } }`. */
  readonly values?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** A configuration file to start from; its logger, telemetry and metrics are replaced by the recording ones. */
  readonly config?: string;
  readonly environment?: string;
  readonly variables?: Readonly<Record<string, string | undefined>>;
  /** Default: a `FakeClock`, which stands still until it is pushed. Take `systemClock` for real databases and sockets. */
  readonly clock?: Clock;
}

/** A service in a test: started, with its time, logs, spans and metrics in the hands of the test. */
export class TestKernel<C extends Clock = Clock> implements AsyncDisposable {
  readonly kernel: Kernel;
  readonly clock: C;
  readonly logger: RecordingLogger;
  readonly telemetry: RecordingTelemetry;
  readonly metrics: RecordingMetrics;

  constructor(kernel: Kernel, clock: C, doubles: Doubles) {
    this.kernel = kernel;
    this.clock = clock;
    this.logger = doubles.logger;
    this.telemetry = doubles.telemetry;
    this.metrics = doubles.metrics;
  }

  get container(): Container {
    return this.kernel.container;
  }

  get lifecycle(): Lifecycle {
    return this.kernel.lifecycle;
  }

  get report(): StartReport {
    return this.kernel.report;
  }

  stop(reason?: string): Promise<StopReport> {
    return this.kernel.stop(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

type Doubles = Pick<TestKernel, 'logger' | 'telemetry' | 'metrics'>;

/**
 * Starts a kernel for a test, in milliseconds: without a configuration file, a retry or a server, unless given. The
 * environment of the process is not looked at.
 *
 * @throws what `Kernel.start` throws.
 */
export async function createTestKernel(
  options?: TestKernelOptions & { readonly clock?: FakeClock },
): Promise<TestKernel<FakeClock>>;
/** The same, with the time of `clock`. */
export async function createTestKernel<C extends Clock>(
  options: TestKernelOptions & { readonly clock: C },
): Promise<TestKernel<C>>;
export async function createTestKernel(options: TestKernelOptions = {}): Promise<TestKernel> {
  const clock = options.clock ?? new FakeClock();
  const doubles = {
    logger: new RecordingLogger(),
    telemetry: new RecordingTelemetry(clock),
    metrics: new RecordingMetrics(),
  };
  const filled = Object.entries({ ...doubles, ...options.slots }).map(([slot, value]) => filling(slot, value, options));
  const given = [...filled, ...(options.plugins ?? [])].map(plugin => [plugin.slot ?? plugin.name, plugin] as const);
  const services = [...(options.services ?? [])];
  const kernel = await Kernel.start({
    config: options.config ?? { service: 'test' },
    variables: options.variables ?? {},
    clock,
    overrides: { plugins: options.values ?? {} },
    plugins: {
      ...Object.fromEntries(given),
      ...(services.length > 0 && { 'test-services': binding('test-services', services) }),
    },
    ...(options.environment !== undefined && { environment: options.environment }),
  });
  return new TestKernel(kernel, clock, doubles);
}

function filling(slot: string, value: object, { plugins = [] }: TestKernelOptions): Plugin {
  const token = slotsOf(plugins.map(manifest => ({ manifest }))).find(({ name }) => name === slot)?.token;
  if (token === undefined) throw new TypeError(`Slot ${slot} does not exist; bind the double with \`services\`.`);
  return { ...binding(`test-${slot}`, [[token, value]]), slot };
}

function binding(name: string, services: readonly (readonly [ServiceToken, unknown])[]): Plugin {
  return {
    name,
    provides: services.map(([token]) => token),
    register: ({ bind }) => {
      for (const [token, value] of services) bind(token).toConstantValue(value);
    },
  };
}
