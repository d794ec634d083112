export { type ConformanceCase, type ConformanceOutcome, conformanceCase } from './conformance.js';
export { FakeClock } from './fake-clock.js';
export { type LoggerHarness, loggerConformance } from './logger-conformance.js';
export { type LineQuery, type RecordedLine, RecordingLogger } from './recording-logger.js';
export { RecordingMetrics } from './recording-metrics.js';
export { type RecordedError, type RecordedSpan, RecordingTelemetry } from './recording-telemetry.js';
export { type RetryPolicyHarness, retryPolicyConformance } from './retry-policy-conformance.js';
export { type ReportedSpan, type TelemetryHarness, telemetryConformance } from './telemetry-conformance.js';
