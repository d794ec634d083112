export { AttachedFacts } from './attached-facts.js';
export { type Admitted, ErrorReports } from './error-reports.js';
export { type RemoteTrace, remoteTraceIn, traceparentOf } from './remote-trace.js';
export { createTelemetryMask, type TelemetryMask, withoutQuery } from './telemetry-mask.js';
