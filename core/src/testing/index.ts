export { FakeClock } from './fake-clock.js';
export { type LineQuery, type RecordedLine, RecordingLogger } from './recording-logger.js';
export { RecordingMetrics } from './recording-metrics.js';
export { type RecordedError, type RecordedSpan, RecordingTelemetry } from './recording-telemetry.js';
