export { formatOrigin, type Origin, type Place } from './config/place.js';
export { formatProblem, type Problem } from './config/problem.js';
export { causesOf } from './contract/causes.js';
export { Clock, systemClock, type Timer } from './contract/clock.js';
export type { ConfigFinding, ConfigToCheck } from './contract/config-finding.js';
export {
  ContextValue,
  type CorrelationContext,
  currentContext,
  currentDeadline,
  runWithContext,
  runWithDeadline,
} from './contract/context.js';
export { contractVersion } from './contract/contract-version.js';
export { Deadline } from './contract/deadline.js';
export { errorKindOf } from './contract/error-kind.js';
export type { Diagnosis, Inspection } from './contract/inspection.js';
export {
  type Facts,
  type FieldProblem,
  isKeelsonError,
  KeelsonError,
  type KeelsonErrorOptions,
  type ProblemDocument,
} from './contract/keelson-error.js';
export { Lifecycle, type LifecyclePhase } from './contract/lifecycle.js';
export { makeOnce } from './contract/make-once.js';
export { notedFactsOf, noteFacts } from './contract/noted-facts.js';
export { type OldGeneration, oldGeneration } from './contract/old-generation.js';
export { defineOperation, type Operation, type OperationOutcome } from './contract/operation.js';
export {
  definePlugin,
  type InstrumentedPlugin,
  type Plugin,
  type PluginSteps,
  type RegisteredPlugin,
  type SlotConformance,
  type StartedPlugin,
  type StartUnderTest,
} from './contract/plugin.js';
export {
  type CommandContext,
  type CommandWork,
  definePluginCommand,
  type PluginCommand,
} from './contract/plugin-command.js';
export type {
  GiveBack,
  KeepProcess,
  KeptProgram,
  PluginContext,
  RegisterContext,
  RunContext,
  StartContext,
} from './contract/plugin-context.js';
export { defineManifest, type PluginManifest } from './contract/plugin-manifest.js';
export { isProductionEnvironment, runsInProduction } from './contract/production.js';
export { type NamedService, namedService, type Requirement } from './contract/requirement.js';
export { defineSlot, type Slot } from './contract/slot.js';
export { type Credential, Credentials } from './contract/slots/credentials.js';
export {
  type CheckReport,
  type HealthCheck,
  type HealthReport,
  type HealthResult,
  HealthService,
  type HealthStatus,
  type ProbeKind,
  silentHealthService,
} from './contract/slots/health.js';
export { HttpClient, type HttpRequestOptions, type HttpTarget } from './contract/slots/http-client.js';
export {
  type HttpHandler,
  HttpServer,
  type MiddlewareOptions,
  type MiddlewareStage,
  type RequestSessionOptions,
  type RequestSessionRule,
  type RouteOptions,
} from './contract/slots/http-server.js';
export { Logger, type LogLevel, logLevels, silentLogger } from './contract/slots/logger.js';
export {
  type Counter,
  type GaugeOptions,
  type Histogram,
  type HistogramOptions,
  type InstrumentOptions,
  type Labels,
  Metrics,
  type Observation,
  silentMetrics,
} from './contract/slots/metrics.js';
export { type MigrateCommand, type MigrateCommandContext, MigrateCommands } from './contract/slots/migrate-commands.js';
export {
  type Attempt,
  type ExecuteOptions,
  type FailureVerdict,
  RetryPolicy,
} from './contract/slots/retry-policy.js';
export { singleAttempt } from './contract/slots/single-attempt.js';
export {
  type Attributes,
  type AttributeValue,
  type Breadcrumb,
  type ErrorContext,
  type IncomingHeaders,
  type OpenSpan,
  type Span,
  type SpanKind,
  type SpanOptions,
  silentSpan,
  silentTelemetry,
  Telemetry,
} from './contract/slots/telemetry.js';
export { type ServiceToken, serviceToken } from './contract/token.js';
export { errorCodes } from './error-codes.js';
export { PlanError, StartError } from './life/errors.js';
export { Kernel } from './life/kernel.js';
export type { KernelOptions, StartingService } from './life/kernel-options.js';
export type { ReloadChange, ReloadReport } from './life/reload.js';
export {
  formatStartReport,
  type PluginStartReport,
  type PluginStopReport,
  type StartOutcome,
  type StartReport,
  type StopReport,
} from './life/report.js';
export { ServiceControl } from './life/service-control.js';
export type {
  ArgumentStatus,
  AwaitedChange,
  OperationStatus,
  PluginStatus,
  ReadinessStatus,
  ServiceStatus,
  StartProgress,
} from './life/status.js';
export type { ExplainedPlan } from './plan/explain-plan.js';
export type { Plan, PlannedPlugin, SlotChoice } from './plan/plan.js';
export type { PluginModules } from './plan/resolve-plugin.js';
export { createMask, type Mask, type MaskOptions } from './secrets/create-mask.js';
export { describeError, type ErrorDescription } from './secrets/describe-error.js';
export { defaultSecretKeys } from './secrets/secret-keys.js';
export { type ErrorSummary, summarizeError } from './secrets/summarize-error.js';
export { withholdValues } from './secrets/withheld-values.js';
