import { KeelsonError } from '../contract/keelson-error.js';
import { type ServiceToken, serviceToken } from '../contract/token.js';
import type { ExplainedPlan } from '../plan/explain-plan.js';
import type { Plan } from '../plan/plan.js';
import type { Identity } from './identity.js';
import type { StartReport } from './report.js';
import type { ServiceStatus } from './status.js';

/** The running service as its operator sees it, for a plugin that shows it. Holds no secret. */
export interface ServiceControl {
  /**
   * Identifies the service, so that `findInstances` can find its other instances on this machine. Undefined when the
   * service runs without a configuration file.
   */
  readonly identity: (Identity & { readonly directory: string | undefined }) | undefined;
  /** As `Kernel.status`. While the service starts, each plugin has how far it is. */
  status(): Promise<ServiceStatus>;
  /** Which plugins run and why, with every value in force and where it comes from. */
  explain(): Promise<ExplainedPlan>;
  /** How the start went, as `JSON.stringify` can write it; undefined until the service is ready. */
  startReport(): Promise<object | undefined>;
  /**
   * Runs an operation of a plugin, as `Kernel.operate`.
   *
   * @throws KeelsonError CONTROL_STILL_STARTING until the service is ready, and what `Kernel.operate` throws.
   */
  operate(
    plugin: string,
    operation: string,
    words: readonly string[],
    named?: Readonly<Record<string, string>>,
  ): Promise<string>;
}

/** Bound by the kernel itself. */
export const ServiceControl: ServiceToken<ServiceControl> = serviceToken('@keelson/core/ServiceControl');

export interface ControlledKernel {
  readonly plan: Plan;
  readonly report: StartReport;
  status(): Promise<ServiceStatus>;
  operate: ServiceControl['operate'];
}

export interface StartingParts {
  readonly identity: () => ServiceControl['identity'];
  readonly plan: () => Plan;
  readonly status: () => Promise<ServiceStatus>;
}

/** Answers from the start until there is a kernel, and from the kernel then. Loads what it needs with the first call. */
export class KernelControl implements ServiceControl {
  readonly #starting: StartingParts;
  #kernel: ControlledKernel | undefined;

  constructor(starting: StartingParts) {
    this.#starting = starting;
  }

  /** The service has started. */
  serve(kernel: ControlledKernel): void {
    this.#kernel = kernel;
  }

  get identity(): ServiceControl['identity'] {
    return this.#starting.identity();
  }

  status(): Promise<ServiceStatus> {
    return (this.#kernel ?? this.#starting).status();
  }

  async explain(): Promise<ExplainedPlan> {
    const [{ explainPlan }, { installedPlugins }] = await Promise.all([
      import('../plan/explain-plan.js'),
      import('../plan/installed-plugins.js'),
    ]);
    const plan = this.#kernel?.plan ?? this.#starting.plan();
    return explainPlan(plan, await installedPlugins(plan.directory));
  }

  async startReport(): Promise<object | undefined> {
    if (this.#kernel === undefined) return undefined;
    const { reportToJson } = await import('./report.js');
    return reportToJson(this.#kernel.report);
  }

  async operate(...given: Parameters<ServiceControl['operate']>): Promise<string> {
    return (this.#kernel ?? stillStarting()).operate(...given);
  }
}

export function stillStarting(): never {
  throw new KeelsonError({
    code: 'CONTROL_STILL_STARTING',
    message: 'The service is still starting and accepts no operations yet.',
    hint: 'Run keelson status to see what the start waits for, and repeat the call once the service is ready.',
  });
}
