import type { Container } from 'inversify';
import { ShapeReader, shapeOf } from '../config/shape.js';
import type { Diagnosis } from '../contract/inspection.js';
import type { Lifecycle, LifecyclePhase } from '../contract/lifecycle.js';
import type { Operation } from '../contract/operation.js';
import { type CheckReport, HealthService, type HealthStatus } from '../contract/slots/health.js';
import type { Plan } from '../plan/plan.js';
import { createMask } from '../secrets/create-mask.js';
import { type ErrorSummary, summarizeError } from '../secrets/summarize-error.js';
import type { ReloadReport } from './reload.js';
import { type StartOutcome, totalMs } from './report.js';
import type { RunningPlugin } from './running-plugin.js';

/** The status of a running service. Holds JSON values only, and no secret. */
export interface ServiceStatus {
  readonly service: string;
  readonly environment?: string;
  readonly phase: LifecyclePhase;
  /** What `/readyz` goes by. */
  readonly readiness: ReadinessStatus;
  /** The changes that the last reload found in the configuration and that need a restart. */
  readonly awaitingRestart: readonly AwaitedChange[];
  /** In the order of their start. */
  readonly plugins: readonly PluginStatus[];
}

/** A changed value; `from` and `to` are JSON, and secrets are masked. */
export interface AwaitedChange {
  readonly path: string;
  readonly from?: string;
  readonly to?: string;
}

export interface ReadinessStatus {
  readonly status: HealthStatus;
  /** As `HealthService.report` gives them, with times as text. */
  readonly checks: readonly (Omit<CheckReport, 'observedAt'> & { readonly observedAt?: string })[];
}

export interface PluginStatus {
  readonly key: string;
  readonly use: string;
  readonly version?: string;
  readonly outcome: StartOutcome | 'starting';
  /** Progress of the plugin while the service starts; left out before the plugin starts. */
  readonly start?: StartProgress;
  /** The report of the plugin about itself. */
  readonly facts?: unknown;
  readonly findings: readonly Diagnosis[];
  readonly operations: readonly OperationStatus[];
  /** Why the plugin did not start, or why it could not report its state. */
  readonly error?: ErrorSummary;
}

export interface StartProgress {
  /** The durations of its steps, the running step included. */
  readonly durationMs: number;
  /** What the running step waits for: `a connection to db:5432`. */
  readonly waitsFor?: string;
}

export interface OperationStatus {
  readonly name: string;
  readonly description: string;
  /** In the order in which they are given. */
  readonly arguments: readonly ArgumentStatus[];
}

export interface ArgumentStatus {
  readonly name: string;
  readonly required: boolean;
  /** The allowed values, for an argument that has few. */
  readonly choices?: readonly string[];
}

export interface RunningService {
  readonly plan: Plan;
  readonly lifecycle: Lifecycle;
  readonly container: Container;
  readonly running: readonly RunningPlugin[];
  readonly awaitingRestart: ReloadReport['changes'];
}

// A plugin should report no secret and no endless value; the kernel enforces it here.
const mask = createMask({ maxStringLength: 500, maxValues: 5_000 });

export async function describeService(service: RunningService): Promise<ServiceStatus> {
  const { plan, lifecycle, container, running, awaitingRestart } = service;
  return {
    service: plan.service,
    ...(plan.environment !== undefined && { environment: plan.environment }),
    phase: lifecycle.phase,
    readiness: readinessOf(container, lifecycle),
    awaitingRestart: awaitingRestart.map(({ path, from, to }) => ({
      path,
      ...(from !== undefined && { from }),
      ...(to !== undefined && { to }),
    })),
    plugins: await Promise.all(running.map(plugin => describePlugin(plugin, lifecycle))),
  };
}

function readinessOf(container: Container, { phase }: Lifecycle): ReadinessStatus {
  // A plugin that is still starting is not asked, nor made.
  if (phase === 'starting') return { status: 'fail', checks: [] };
  // It is gone at the very end of a stop.
  if (!container.isBound(HealthService)) return { status: 'fail', checks: [] };
  return mask(container.get(HealthService).report('ready')) as ReadinessStatus;
}

async function describePlugin(plugin: RunningPlugin, { phase }: Lifecycle): Promise<PluginStatus> {
  const { key, use, version } = plugin.planned;
  const told = await tell(plugin);
  return {
    key,
    use,
    ...(version !== undefined && { version }),
    ...(phase === 'starting' ? describeStart(plugin) : { outcome: plugin.outcome }),
    findings: [],
    operations: Object.entries(plugin.operations).map(([name, operation]) => describeOperation(name, operation)),
    ...told,
  };
}

function describeStart(plugin: RunningPlugin): Pick<PluginStatus, 'outcome' | 'start'> {
  const { outcome, busy } = plugin;
  const durationMs = Math.round(totalMs(plugin.report([])) + (busy ? busy.forMs : 0));
  if (busy) {
    const { waitsFor } = busy;
    return { outcome: 'starting', start: { durationMs, ...(waitsFor !== undefined && { waitsFor }) } };
  }
  return outcome === 'not-tried' ? { outcome } : { outcome, start: { durationMs } };
}

async function tell(plugin: RunningPlugin): Promise<Pick<PluginStatus, 'facts' | 'error'> & Partial<PluginStatus>> {
  if (plugin.error !== undefined) return { error: summarizeError(plugin.error) };
  try {
    const inspection = await plugin.inspect();
    if (inspection === undefined) return {};
    const { facts, findings = [] } = mask(inspection) as { facts: unknown; findings?: readonly Diagnosis[] };
    return { facts, findings };
  } catch (error) {
    return { error: summarizeError(error) };
  }
}

function describeOperation(name: string, operation: Operation): OperationStatus {
  const reader = new ShapeReader(shapeOf(operation.arguments));
  const required = reader.root.required ?? [];
  const described = [...(reader.keys(reader.root) ?? [])].map(([argument, shape]) => ({
    name: argument,
    required: required.includes(argument),
    ...(shape.enum !== undefined && { choices: shape.enum.map(String) }),
  }));
  return { name, description: operation.description, arguments: described };
}
