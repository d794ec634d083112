export { Clock, systemClock, type Timer } from './clock.js';
export { formatOrigin, type Origin, type Place } from './config/place.js';
export { formatProblem, type Problem } from './config/problem.js';
export { type CorrelationContext, currentContext, runWithContext } from './context.js';
export type {
  ArgumentStatus,
  AwaitedChange,
  OperationStatus,
  PluginStatus,
  ReadinessStatus,
  ServiceStatus,
  StartProgress,
} from './control/status.js';
export { Deadline } from './deadline.js';
export { errorCodes } from './error-codes.js';
export { describeError, type ErrorDescription } from './errors/describe-error.js';
export {
  type Facts,
  type FieldProblem,
  type HttpProblem,
  isKeelsonError,
  KeelsonError,
  type KeelsonErrorOptions,
} from './errors/keelson-error.js';
export { type ErrorSummary, summarizeError } from './errors/summarize-error.js';
export {
  createPolicyFetch,
  type PolicyFetch,
  type PolicyFetchOptions,
  type PolicyRequestInit,
} from './http-client/policy-fetch.js';
export { PlanError, StartError } from './kernel/errors.js';
export { Kernel } from './kernel/kernel.js';
export type { KernelOptions, StartingService } from './kernel/kernel-options.js';
export { Lifecycle, type LifecyclePhase } from './kernel/lifecycle.js';
export type { Plan, PlannedPlugin, SlotChoice } from './kernel/plan.js';
export type { ReloadChange, ReloadReport } from './kernel/reload.js';
export {
  type BootReport,
  formatBootReport,
  type PluginStartReport,
  type PluginStopReport,
  type StartOutcome,
  type StopReport,
} from './kernel/report.js';
export type { ConfigFinding, ConfigToCheck } from './plugin/config-finding.js';
export { contractVersion } from './plugin/contract-version.js';
export { defineOperation, type Inspection, type Operation, type OperationOutcome } from './plugin/operation.js';
export {
  type Diagnosis,
  defineManifest,
  definePlugin,
  type Plugin,
  type PluginContext,
  type PluginManifest,
  type RegisterContext,
  type RunContext,
  type SlotConformance,
  type StartUnderTest,
} from './plugin/plugin.js';
export { type NamedService, namedService, type Requirement } from './plugin/requirement.js';
export { createSafeCopy, type SafeCopy, type SafeCopyOptions } from './safe/safe-copy.js';
export { defaultSecretKeys } from './safe/secret-keys.js';
export {
  type CheckReport,
  type HealthCheck,
  type HealthReport,
  type HealthResult,
  HealthService,
  type HealthStatus,
  type ProbeKind,
  silentHealthService,
} from './slots/health.js';
export { type HttpHandler, HttpServer, type RouteOptions } from './slots/http-server.js';
export { Logger, type LogLevel, logLevels, silentLogger } from './slots/logger.js';
export {
  type Counter,
  type Histogram,
  type InstrumentOptions,
  type Labels,
  Metrics,
  type Observation,
  silentMetrics,
} from './slots/metrics.js';
export { type MigrateCommand, type MigrateCommandContext, MigrateCommands } from './slots/migrate-commands.js';
export {
  type Attempt,
  type ExecuteOptions,
  type FailureVerdict,
  RetryPolicy,
} from './slots/retry-policy.js';
export { singleAttempt } from './slots/single-attempt.js';
export {
  type Attributes,
  type AttributeValue,
  type ErrorContext,
  type Span,
  type SpanOptions,
  silentTelemetry,
  Telemetry,
} from './slots/telemetry.js';
export { type ServiceToken, serviceToken } from './token.js';
